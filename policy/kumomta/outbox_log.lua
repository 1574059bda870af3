-- The outbox: a second local log with short segments, on the volume that
-- survives the instance. `outbox` reads it.
local kumo = require 'kumo'

local correlation = require 'correlation'

local mod = {}

mod.DIRECTORY = '/var/spool/kumomta/ping8/outbox'
mod.CHECKPOINT = 'webhook'

-- The tailer decodes each line, and decoding in Lua loses JSON nulls: so a
-- line holds the record as a string, and beside it what the tailer must know.
--
-- The tailer of kumod 2026.06.23 takes lines up to 128 KiB and skips what is
-- left of a segment after a longer one. Only a report can be so long, since
-- its record holds the message that it is about: of a record over 30,000
-- characters (four bytes each at most, escapes included) the report's type and
-- the beginning of that message stay.
local TEMPLATE = [[
{%- set report = log_record.feedback_report -%}
{%- set whole = dict(log_record, headers=meta, meta={}) | tojson -%}
{%- set shortened = whole if whole | length <= 30000 else dict(
  log_record, headers=meta, meta={},
  response=dict(
    log_record.response, content=(log_record.response.content or '')[:4000]
  ),
  feedback_report={
    'feedback_type': report.feedback_type,
    'original_message': (report.original_message or '')[:8000],
    'truncated': true
  } if report else none
) | tojson -%}
{{ dict(
  record=shortened,
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
