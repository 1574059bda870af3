-- An event is a log record that PING8 gets to see.
local kumo = require 'kumo'

local data = require 'data'
local transfer = require 'transfer'

local mod = {}

mod.ID_HEADER = 'X-PING8-Event-Id'

-- Mail to people (`inbox`), and requests with `deferred_generation`, which kumod
-- logs as delivered even where it refuses every recipient later.
local NO_MAIL = {
  ['ping8.inbox'] = true,
  ['generator.kumomta.internal'] = true,
}

-- Two loggers may report an out-of-band bounce twice, if the report has
-- none: the report's own reception is the same for both.
local function moment(record)
  if record.type == 'OOB' then
    return record.created_time, record.created
  end
  return record.event_time, record.timestamp
end

-- What happens to a message on its way to another node is nothing that a
-- recipient's server said.
local OF_TRANSFER =
  { TransientFailure = true, Delayed = true, AdminRebind = true }

local function is_of_transfer(record)
  return OF_TRANSFER[record.type] and transfer.is_queue(record.queue)
end

local function first_id(record)
  return record.meta and record.meta[transfer.FIRST_ID] or record.id
end

local function recipients(record)
  if type(record.recipient) == 'table' then
    return table.concat(record.recipient, ',')
  end
  return record.recipient or ''
end

-- The same for retries, transports and the local logs; the host agent
-- computes it too (hostagent/events/record.py).
function mod.id(record)
  local exact, whole = moment(record)
  local time = type(exact) == 'string' and exact
    or string.format('%d', whole or 0)
  local text = table.concat({
    first_id(record) or '',
    record.type,
    time,
    recipients(record),
    string.format('%d', record.num_attempts or 0),
  }, '\n')
  return kumo.digest.sha256(text).hex
end

-- When it happened, in seconds of Unix time.
function mod.time(record)
  local _, whole = moment(record)
  return whole
end

-- Never an event about an event, nor about what is no mail of PING8's. The reception of mail
-- by SMTP has its own name in the settings, because scanners cause many.
function mod.is_wanted(record)
  if
    record.reception_protocol == 'LogRecord'
    or NO_MAIL[record.queue]
    or is_of_transfer(record)
  then
    return false
  end
  local kind = record.type
  if kind == 'Reception' and record.reception_protocol ~= 'HTTP' then
    kind = 'InboundReception'
  end
  return not data.read('webhook').leave_out[kind]
end

return mod
