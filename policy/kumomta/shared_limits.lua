-- Limits that hold over all nodes together; kumod counts them in a Valkey
-- server. Only for an environment with several nodes.
local kumo = require 'kumo'

local data = require 'data'
local environment = require 'environment'

local mod = {}

-- kumod has no time-outs of its own: without them it neither starts nor ends
-- nor validates while the server is away, and mail stops for minutes after a
-- short outage.
local SECONDS = 2

-- On a busy host, or while the server moves to its other zone, the first
-- connection may take longer than that, each time.
local SECONDS_AT_START = { SECONDS, SECONDS, 4, 8 }

-- What kumod uses for a path that sets none.
local CONNECTION_LIMIT = 32

-- Path settings by what they limit.
local RATES =
  { 'max_message_rate', 'max_connection_rate', 'source_selection_rate' }
local SEVERAL = {
  'additional_connection_limits',
  'additional_message_rate_throttles',
  'additional_source_selection_rates',
}

-- The password is no part of the address: kumod's metrics name that.
local function connection(limits, seconds)
  local time_out = seconds .. 's'
  return {
    node = limits.node,
    username = limits.username,
    password = environment.limits_password,
    connect_timeout = time_out,
    response_timeout = time_out,
    recycle_timeout = time_out,
    wait_timeout = (seconds + 1) .. 's',
  }
end

-- For init, once. kumod's own error has a stack trace, and for a malformed
-- address the password.
function mod.configure(limits)
  local ok, failure
  for _, seconds in ipairs(SECONDS_AT_START) do
    local params = connection(limits, seconds)
    ok, failure = pcall(kumo.configure_redis_throttles, params)
    if ok then
      break
    end
  end
  if not ok then
    local reason = tostring(failure)
      :gsub('^.*runtime error: ', '')
      :match('^[^\n]*')
      :sub(1, 200)
    error(
      string.format(
        'ping8: the server of the shared limits, %s, does not answer (%s): '
          .. 'kumod needs it to start and to validate; see whether ElastiCache '
          .. 'is available, its security group, and the password limitsPassword',
        limits.node,
        kumo.string.replace(reason, environment.limits_password, '[password]')
      ),
      0
    )
  end
end

-- Whether the server answers now. kumod uses the same pool of connections for
-- the same parameters, so this sees what the limits see; after a slow start they
-- have another pool, which waits longer.
mod.answers = kumo.memoize(function()
  local limits = data.load('server').several_nodes.shared_limits
  local ok = pcall(function()
    require('redis').open(connection(limits, SECONDS)):query 'PING'
  end)
  if not ok then
    kumo.log_error(
      'the server of the shared limits does not answer: '
        .. 'each node keeps to its share of the limits'
    )
  end
  return ok
end, {
  name = 'ping8_shared_limits',
  ttl = '5 seconds',
  capacity = 1,
})

local function is_local(limit)
  return type(limit) == 'string' and limit:match '^local:' ~= nil
end

local function number(text)
  return tonumber((tostring(text):gsub('[_,]', '')))
end

-- One of `parts` equal parts of a connection limit or a rate, at least the
-- smallest that kumod can express.
local function part(limit, parts)
  if is_local(limit) then
    return limit
  end
  local count, scale, unit, burst =
    tostring(limit):match '^([%d_,]+)/(%d*)(%a+)(.*)$'
  if not count then
    return 'local:' .. math.max(1, number(limit) // parts)
  end
  count = number(count)
  if burst ~= '' then
    burst = ',max_burst='
      .. math.max(1, number(burst:match 'max_burst=(.*)$') // parts)
  end
  if count >= parts then
    return string.format('local:%d/%s%s%s', count // parts, scale, unit, burst)
  end
  local longer = (tonumber(scale) or 1) * parts
  return string.format('local:%d/%d%s%s', count, longer, unit, burst)
end

-- The settings of a path with each limit as one of equal parts that this node
-- keeps by itself; one part is the whole limit.
function mod.by_itself(params, parts)
  local result = {}
  for name, value in pairs(params) do
    result[name] = value
  end
  result.connection_limit =
    part(params.connection_limit or CONNECTION_LIMIT, parts)
  for _, name in ipairs(RATES) do
    result[name] = params[name] and part(params[name], parts)
  end
  for _, name in ipairs(SEVERAL) do
    if params[name] then
      result[name] = {}
      for key, limit in pairs(params[name]) do
        result[name][key] = part(limit, parts)
      end
    end
  end
  return result
end

-- What one source may send in a day is no common pot: the node with a backlog
-- would take all of it, and mail of the others wait for the next day. Returns the
-- name and rate of this node's part; of fewer messages than nodes there is none.
function mod.daily(name, messages, own, rate)
  local nodes = data.read('nodes').addresses
  local parts = #nodes
  if messages >= #nodes then
    local more = 0
    for i, address in ipairs(nodes) do
      if address == own and i <= messages % #nodes then
        more = 1
      end
    end
    messages = messages // #nodes + more
    name, parts = name .. '-' .. own, 1
  end
  if mod.answers() then
    return name, rate(messages)
  end
  return name, part(rate(messages), parts)
end

-- The settings of a path for mail.
function mod.apply(params)
  if not mod.answers() then
    params = mod.by_itself(params, #data.read('nodes').addresses)
  end
  -- So that a path notices when the server goes and comes.
  params.refresh_strategy = 'Ttl'
  params.refresh_interval = '10s'
  return params
end

return mod
