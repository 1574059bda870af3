-- The outbox: a second local log with short segments, on the volume that
-- survives the instance. `ping8-outbox.service` posts its contents
-- (hostagent/events/outbox.py).
local kumo = require 'kumo'

local correlation = require 'correlation'
local log_hook = require 'log_hook'

local mod = {}

mod.DIRECTORY = '/var/spool/kumomta/ping8/outbox'

-- For init, once. Events wait for their segment to end, and what its
-- compressor buffers is lost if kumod is killed, so it is short.
function mod.configure(disabled_records)
  local per_record = { Any = { template = log_hook.TEMPLATE } }
  for _, kind in ipairs(disabled_records) do
    per_record[kind] = { enable = false }
  end
  kumo.configure_local_logs {
    log_dir = mod.DIRECTORY,
    max_segment_duration = '500ms',
    meta = correlation.EVENT_FIELDS,
    per_record = per_record,
  }
end

return mod
