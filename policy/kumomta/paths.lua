-- Egress paths: KumoMTA's shaping helper over the community rules and our
-- shaping.toml, what its automation decided, and on top the limit of the day
-- for an address that is being warmed up.
local kumo = require 'kumo'
local shaping = require 'policy-extras.shaping'

local data = require 'data'
local inbox = require 'inbox'
local queues = require 'queues'
local shared_limits = require 'shared_limits'
local transfer = require 'transfer'

local mod = {}

local DAY = 24 * 60 * 60

local function first_day(schedule)
  local year, month, day = schedule.start:match '^(%d+)-(%d+)-(%d+)$'
  local start = kumo.time.with_ymd_hms(
    tonumber(year),
    tonumber(month),
    tonumber(day),
    0,
    0,
    0
  )
  return start.unix_timestamp // DAY
end

-- How many messages a source may send today (UTC): the first day's number
-- before the first day, nil for no limit after the last.
function mod.messages_today(schedule)
  local today = kumo.time.now().unix_timestamp // DAY
  return schedule.daily[math.max(1, today - first_day(schedule) + 1)]
end

-- Half of the day's number at once, the rest evenly over the day: never
-- more than the number, and all of it if there is enough mail.
function mod.rate(messages)
  local at_once = messages // 2
  return string.format(
    '%d/day,max_burst=%d',
    messages - at_once,
    math.max(1, at_once)
  )
end

-- Whether all sources of a pool are warming up today.
local function no_other_source(schedule, schedules)
  for _, pool in ipairs(schedule.pools) do
    local other
    for _, name in ipairs(pool) do
      local beside = schedules[name]
      other = other or not (beside and mod.messages_today(beside))
    end
    if not other then
      return true
    end
  end
  return false
end

-- The limit counts over all destinations of the source together. As a rate of
-- selection, mail above it goes through another source; if there is none,
-- that would be a failed attempt with growing delays, so then the mail waits
-- for its turn by message rate.
local function with_limit(params, source, messages, warm_up, several)
  local field = 'additional_source_selection_rates'
  if no_other_source(warm_up.sources[source], warm_up.sources) then
    field = 'additional_message_rate_throttles'
  end
  local rates = {}
  for name, rate in pairs(params[field] or {}) do
    rates[name] = rate
  end
  local name, rate = 'ping8-warm-up-' .. source, mod.rate(messages)
  if several then
    name, rate = shared_limits.daily(name, messages, several.address, mod.rate)
  end
  rates[name] = rate
  params[field] = rates
  -- The helper only reloads when files change, and a new day changes
  -- none.
  params.refresh_strategy = 'Ttl'
  params.refresh_interval = several and params.refresh_interval
    or warm_up.refresh
  return params
end

-- Queues of this node alone: nothing at the other end counts what all nodes send,
-- and they must go on without the server of the shared limits.
local function is_own(domain)
  return domain == queues.WEBHOOK
    or domain == inbox.QUEUE
    or queues.is_automation(domain)
end

local function over_nodes(params, domain)
  if is_own(domain) then
    return shared_limits.by_itself(params, 1)
  end
  return shared_limits.apply(params)
end

-- Returns the handler; `several` is what several nodes share. Validation looks up
-- the MX of the domains that shaping rules roll up; one that does not resolve is a
-- warning.
function mod.setup(options, several)
  local automation = data.load 'automation'
  local shaper = shaping:setup_with_automation {
    publish = automation.publish,
    subscribe = automation.subscribe,
    no_default_files = true,
    extra_files = options.files,
    -- Most records are deliveries, and no rule is about them.
    additional_skip_log_record_types = { 'Delivery' },
  }
  -- For init, once.
  function mod.publish()
    if #automation.publish > 0 then
      shaper.setup_publish()
    end
  end
  return function(domain, source, site)
    if transfer.is_queue(domain) then
      return kumo.make_egress_path(transfer.path())
    end
    local params = shaper.get_egress_path_config(domain, source, site, true)
    if several then
      params = over_nodes(params, domain)
    end
    local warm_up = data.read 'warm_up'
    local schedule = warm_up.sources[source]
    local messages = schedule and mod.messages_today(schedule)
    if messages then
      params = with_limit(params, source, messages, warm_up, several)
    end
    return kumo.make_egress_path(params)
  end
end

return mod
