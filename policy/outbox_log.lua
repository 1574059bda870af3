-- The outbox: a second local log with short segments, on the volume that
-- survives the instance. `outbox` reads it.
local kumo = require 'kumo'

local correlation = require 'correlation'

local mod = {}

mod.DIRECTORY = '/var/spool/kumomta/ping8/outbox'
mod.CHECKPOINT = 'webhook'

-- The tailer decodes each line, and decoding in Lua loses JSON nulls: so a
-- line holds the record as a string, and beside it what the tailer must know.
local TEMPLATE = [[
{{ dict(
  record=(dict(log_record, headers=meta, meta={}) | tojson),
  type=log_record.type, id=log_record.id,
  timestamp=log_record.timestamp, event_time=log_record.event_time,
  created=log_record.created, created_time=log_record.created_time,
  recipient=log_record.recipient, num_attempts=log_record.num_attempts,
  reception_protocol=log_record.reception_protocol
) | tojson }}]]

-- For init, once. Events wait for their segment to end.
function mod.configure(disabled_records)
  local per_record = { Any = { template = TEMPLATE } }
  for _, kind in ipairs(disabled_records) do
    per_record[kind] = { enable = false }
  end
  kumo.configure_local_logs {
    log_dir = mod.DIRECTORY,
    max_segment_duration = '2s',
    meta = correlation.HEADERS,
    per_record = per_record,
  }
end

return mod
