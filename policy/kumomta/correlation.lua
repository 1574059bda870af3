-- The values by which PING8 recognizes the message that an event is about.
-- They become metadata under the headers' own names: to name them as headers
-- of a log hook would read each message back from the spool for each event.
local kumo = require 'kumo'

local mod = {}

mod.HEADERS = {
  'Subject',
  'X-PING8-Campaign-Id',
  'X-PING8-Task-Id',
  'X-PING8-Recipient-Id',
  'X-PING8-Api-Log-Id',
  'X-PING8-Message-Id',
  'X-PING8-Sending-Profile-Id',
}

-- Local logs say under this name which headers a message lacked.
mod.MISSING = 'ping8_missing'

local TRACE_HEADER = 'X-KumoRef'
local LONGEST_UNFOLDED = 900
local FOLDED_LINE = 76

-- A report comes from anybody: no value of it may bloat our records.
local LONGEST_FROM_REPORT = 998

-- The subject stays out of the trace header: it may hold personal data.
local TRACED = {}
for _, name in ipairs(mod.HEADERS) do
  if name ~= 'Subject' then
    table.insert(TRACED, name)
  end
end

-- Keeps the values of a message as metadata. Returns the names of the X-PING8
-- headers that it lacks, or nil.
function mod.capture(msg)
  local missing = {}
  for _, name in ipairs(mod.HEADERS) do
    local value = msg:get_first_named_header_value(name)
    if value and value ~= '' then
      msg:set_meta(name, value)
    elseif name ~= 'Subject' then
      table.insert(missing, name)
    end
  end
  if #missing > 0 then
    local names = table.concat(missing, ', ')
    msg:set_meta(mod.MISSING, names)
    return names
  end
end

-- kumod writes the trace header as one line, and mail servers refuse lines over
-- 998 characters.
local function fold_trace_header(msg)
  local value = msg:get_first_named_header_value(TRACE_HEADER)
  if #value <= LONGEST_UNFOLDED then
    return
  end
  local lines = {}
  for at = 1, #value, FOLDED_LINE do
    table.insert(lines, value:sub(at, at + FOLDED_LINE - 1))
  end
  msg:remove_all_named_headers(TRACE_HEADER)
  msg:prepend_header(TRACE_HEADER, table.concat(lines, '\r\n\t'))
end

-- A trace header that carries the values, so that they come back in reports
-- about the message. kumod adds one of its own later, in front of this one.
function mod.add_trace_header(msg)
  msg:remove_all_named_headers(TRACE_HEADER)
  kumo.apply_supplemental_trace_header(msg, {
    header_name = TRACE_HEADER,
    include_meta_names = TRACED,
  })
  fold_trace_header(msg)
end

-- The header block of the original message inside a report: the one that has
-- the trace header, or else one of PING8's headers.
local function original_headers(report)
  local text = '\n' .. report:gsub('\r\n', '\n')
  local lower = text:lower()
  local body = lower:find('\n\n', 2, true)
  if not body then
    return nil
  end
  local at = lower:find('\n' .. TRACE_HEADER:lower() .. ':', body, true)
    or lower:find('\nx-ping8-', body, true)
  if not at then
    return nil
  end
  local first = at
  while true do
    local before = lower:find('\n\n', body, true)
    if not before or before >= first then
      break
    end
    body = before + 1
  end
  local last = lower:find('\n\n', at, true) or #text
  local block = text:sub(body + 1, last)
  if not utf8.len(block) then
    block = block:gsub('[\x80-\xFF]', '?')
  end
  return (block:gsub('\n', '\r\n'))
end

-- What the trace headers of a message carry; one that is none carries nothing.
local function traced_values(msg)
  local values = {}
  for _, value in ipairs(msg:get_all_named_header_values(TRACE_HEADER)) do
    local ok, trace = pcall(function()
      local packed = value:gsub('%s', '')
      return kumo.json_parse(kumo.encode.base64_decode(packed))
    end)
    if ok and type(trace) == 'table' then
      for _, name in ipairs(TRACED) do
        values[name] = values[name] or trace[name]
      end
    end
  end
  return values
end

-- Keeps the values of the message that a report is about as metadata of the
-- report, where its events take them from.
function mod.capture_from_report(msg)
  local block = original_headers(msg:get_data())
  if not block then
    return
  end
  -- kumod's own parser unfolds and decodes.
  local original = kumo.make_message(
    'postmaster@localhost',
    'postmaster@localhost',
    block .. '\r\n'
  )
  local traced = traced_values(original)
  for _, name in ipairs(mod.HEADERS) do
    local value = traced[name] or original:get_first_named_header_value(name)
    if
      type(value) == 'string'
      and value ~= ''
      and #value <= LONGEST_FROM_REPORT
    then
      msg:set_meta(name, value)
    end
  end
end

return mod
