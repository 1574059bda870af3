-- Egress sources and pools, from egress.json. They exist only as the answers
-- of these events: made at the top level they would be values that nobody
-- knows, and mail would leave from the MTA's own address.
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

-- The proxy binds the private address: on EC2 the public one is translated
-- and stands on no interface.
function mod.source(name)
  local source = data.read('egress').sources[name]
  if not source then
    error(string.format('egress source %q is not in egress.json', name))
  end
  local params = {
    name = name,
    ehlo_domain = source.ehlo_domain,
    socks5_proxy_server = source.proxy,
    socks5_proxy_source_address = source.private,
  }
  if source.authentication then
    params.socks5_proxy_username, params.socks5_proxy_password =
      credentials(name)
  end
  return kumo.make_egress_source(params)
end

function mod.pool(name)
  local entries = data.read('egress').pools[name]
  if not entries then
    error(string.format('egress pool %q is not in egress.json', name))
  end
  return kumo.make_egress_pool { name = name, entries = entries }
end

-- The private addresses that KUMOPROXY_HOST stands for.
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
  local egress = data.load 'egress'
  local name = egress.default_source
  local source = egress.sources[name]
  local host, port = source.proxy:match '^(.*):(%d+)$'
  local problems = {}

  local function differs(variable, value, expected)
    if value ~= expected then
      table.insert(
        problems,
        string.format(
          '%s is %s, but egress source %s in egress.json has %s',
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
