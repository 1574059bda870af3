-- The default transport: kumod's log hook puts each event on the webhook
-- queue, from where `webhook` delivers it.
local kumo = require 'kumo'

local correlation = require 'correlation'
local dead_letters = require 'dead_letters'
local events = require 'events'
local queues = require 'queues'

local mod = {}

mod.NAME = 'ping8'
mod.EVENT_ID = 'ping8_event_id'
mod.EVENT_TIME = 'ping8_event_time'

-- The record unchanged, with the correlation values where PING8 expects them.
-- A template keeps JSON nulls, and is twice as fast as decoding in Lua. The pool is
-- named without the suffix that `egress` adds; a message keeps its first id when it
-- moves to another node (`transfer`).
mod.TEMPLATE = [[{{ dict(log_record, id=(meta.first_id or log_record.id),
  headers=meta, meta={},
  egress_pool=(log_record.egress_pool.split('#')[0]
    if log_record.egress_pool else none)) | tojson }}]]

-- For pre_init, once. Receptions are never disabled here: bounces and
-- complaints are made from them.
function mod.configure(disabled_records)
  local per_record = { Any = { template = mod.TEMPLATE } }
  for _, kind in ipairs(disabled_records) do
    per_record[kind] = { enable = false }
  end
  kumo.configure_log_hook {
    name = mod.NAME,
    meta = correlation.EVENT_FIELDS,
    per_record = per_record,
  }
end

-- Whether PING8 gets the record, and where it goes then. If the
-- settings cannot be read, one event too many is better.
local function prepare(msg, record)
  local ok, wanted = pcall(events.is_wanted, record)
  if ok and not wanted then
    return false
  end
  msg:set_meta('queue', queues.WEBHOOK)
  msg:set_meta(mod.EVENT_ID, events.id(record))
  msg:set_meta(mod.EVENT_TIME, events.time(record))
  -- The record is already the event's text: it need not be in the spool twice.
  msg:set_meta('log_record', nil)
  return true
end

function mod.should_enqueue(msg, hook)
  if hook ~= mod.NAME then
    return nil
  end
  local record = msg:get_meta 'log_record'
  if record.queue == queues.WEBHOOK then
    return false
  end
  local ok, wanted = pcall(prepare, msg, record)
  if ok then
    return wanted
  end
  -- An error here would lose the event, so it becomes a dead letter.
  dead_letters.bury({
    id = tostring(msg:id()),
    record = msg:get_data(),
  }, 'not queued: ' .. tostring(wanted):match '^[^\n]*')
  return false
end

return mod
