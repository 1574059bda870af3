-- Egress sources and pools, from sources.json and egress.json. They exist only as the answers
-- of these events: created at the top level they would be values that kumod
-- ignores, and mail would leave from the MTA's own address.
local kumo = require 'kumo'

local addresses = require 'addresses'
local data = require 'data'
local environment = require 'environment'

local mod = {}

local PROXY_USER = 'ping8'

local function credentials(name)
  local password = environment.proxy_password
  if password == nil or password == '' then
    error(
      'KUMOPROXY_PASSWORD is not set, and the proxy of egress source '
        .. name
        .. ' asks for it'
    )
  end
  return PROXY_USER, { key_data = password }
end

-- The proxy binds the private address: EC2 translates it to the public one,
-- which is on no interface.
function mod.make_source(name)
  local source = data.read('sources')[name]
  if not source then
    error(string.format('egress source %q is not in sources.json', name))
  end
  local params = {
    name = name,
    ehlo_domain = source.ehlo_domain,
    socks5_proxy_server = source.proxy,
    socks5_proxy_source_address = source.private,
  }
  -- One refusal is enough: for a while mail leaves through the pool's other
  -- sources, then this proxy is asked again.
  if source.proxy_suspension then
    params.suspend_when_proxy_unhealthy = { duration = source.proxy_suspension }
  end
  if source.authentication then
    params.socks5_proxy_username, params.socks5_proxy_password =
      credentials(name)
  end
  return kumo.make_egress_source(params)
end

-- For each queue, kumod goes round the sources of a pool, starting with
-- the second: single messages to many domains would all leave from one
-- source, whatever the weights. So egress.json repeats each source by its
-- weight, and each queue starts at a position derived from its name.
local function place(name)
  local pool, first = name:match '^(.*)#(%d+)$'
  return pool or name, tonumber(first) or 0
end

function mod.pool_of_queue(pool, domain, tenant)
  local sources = data.read('egress').pools[pool]
  if not sources or #sources < 2 then
    return pool
  end
  local hash = kumo.digest.sha256((tenant or '') .. '@' .. domain).hex
  return string.format('%s#%d', pool, tonumber(hash:sub(1, 8), 16) % #sources)
end

function mod.make_pool(name)
  local pool, first = place(name)
  local sources = data.read('egress').pools[pool]
  if not sources then
    error(string.format('egress pool %q is not in egress.json', pool))
  end
  local entries = {}
  for i = 1, #sources do
    local source = sources[(first + i) % #sources + 1]
    table.insert(entries, { name = source })
  end
  return kumo.make_egress_pool { name = name, entries = entries }
end

-- kumod caches an error of these handlers for a minute, leaves messages in
-- no queue if it happens at start, and then cannot stop. So they
-- always return something; validation calls the inner functions.
local function guard(what, make, otherwise)
  return function(name)
    local ok, result = pcall(make, name)
    if ok then
      return result
    end
    kumo.log_error(string.format('%s %s: %s', what, name, tostring(result)))
    return otherwise(name)
  end
end

-- Nothing listens there: the mail waits and never leaves from this host.
mod.source = guard('egress source', mod.make_source, function(name)
  return kumo.make_egress_source {
    name = name,
    socks5_proxy_server = '127.0.0.1:1',
    socks5_proxy_source_address = '127.0.0.1',
  }
end)

-- Without a source the mail waits for its next retry.
mod.pool = guard('egress pool', mod.make_pool, function(name)
  return kumo.make_egress_pool {
    name = name,
    entries = { { name = 'unspecified', weight = 0 } },
  }
end)

-- The private addresses behind KUMOPROXY_HOST.
local function proxy_addresses()
  local host = environment.proxy_host
  if addresses.is_ipv4(host) then
    return { host }
  end
  return kumo.dns.lookup_addr(host)
end

local function host_problem(expected)
  local found = false
  for _, address in ipairs(proxy_addresses()) do
    if not addresses.is_private(address) then
      return string.format('gives %s, which is no private address', address)
    end
    found = found or address == expected
  end
  if not found then
    return 'is not the proxy ' .. expected
  end
end

-- How KUMOPROXY_* differ from the source that they describe; one line each.
function mod.environment_problems()
  local name = data.load('egress').default_source
  local source = data.load('sources')[name]
  local host, port = source.proxy:match '^(.*):(%d+)$'
  local problems = {}

  local function differs(variable, value, expected)
    if value ~= expected then
      table.insert(
        problems,
        string.format(
          '%s is %s, but egress source %s in sources.json has %s',
          variable,
          value,
          name,
          expected
        )
      )
    end
  end

  local ok, problem = pcall(host_problem, host)
  if not ok then
    problem = 'cannot be resolved'
  end
  if problem then
    table.insert(
      problems,
      string.format('KUMOPROXY_HOST %s %s', environment.proxy_host, problem)
    )
  end
  differs('KUMOPROXY_PORT', environment.proxy_port, port)
  differs('KUMOPROXY_PUBLIC_IP', environment.public_ip, source.public)
  differs('KUMOPROXY_HELO', environment.helo, source.ehlo_domain)
  return problems
end

return mod
