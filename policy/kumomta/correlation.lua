-- The values by which PING8 recognizes the message that an event is about.
-- They become metadata under the headers' own names: if the log hook listed
-- them as headers, it would read each message from the spool for each event.
local kumo = require 'kumo'

local environment = require 'environment'
local headers_value = require('headers').value
local report_text = require 'report_text'
local FIRST_ID = require('transfer').FIRST_ID

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

-- Local logs list the missing headers of a message under this name.
mod.MISSING = 'ping8_missing'

mod.TRACE_HEADER = 'X-KumoRef'

-- Whether a bounce or complaint returned a trace header that we made.
mod.VERIFIED = 'verified'

-- Its name in a trace header.
local MAC = 'ping8_mac'

-- Anybody can send a report: its values must not bloat our records.
local LONGEST_FROM_REPORT = 998

-- The subject stays out of the trace header: it may hold personal data.
mod.TRACED = {}
for _, name in ipairs(mod.HEADERS) do
  if name ~= 'Subject' then
    table.insert(mod.TRACED, name)
  end
end

-- What an event has in its `headers`.
mod.EVENT_FIELDS = table.move(mod.HEADERS, 1, #mod.HEADERS, 1, {})
table.insert(mod.EVENT_FIELDS, mod.VERIFIED)
table.insert(mod.EVENT_FIELDS, FIRST_ID)

local IN_TRACE =
  table.move(mod.TRACED, 1, #mod.TRACED, 1, { [#mod.TRACED + 1] = MAC })

-- Over the recipient and all values, each with its length, so that values
-- cannot run together. Quotation marks are not written everywhere.
local function mac(recipient, values)
  local parts = {}
  local function add(text)
    table.insert(parts, string.format('%d:%s', #text, text))
  end
  add((recipient:gsub('["\\]', '')))
  for _, name in ipairs(mod.TRACED) do
    add(values[name] or '')
  end
  local key = { key_data = environment.trace_key }
  local digest = kumo.digest.hmac_sha256(key, table.concat(parts, ','))
  return digest.hex:sub(1, 32)
end

-- Keeps the values of a message as metadata; `headers` are its headers (module
-- `headers`). Returns the names of the X-PING8 headers that it
-- lacks, or nil.
function mod.capture(msg, headers)
  local missing = {}
  for _, name in ipairs(mod.HEADERS) do
    local value = headers_value(msg, headers, name)
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

-- A trace header with the values, so that reports about the message return
-- them. kumod later adds its own header in front of this one.
function mod.add_trace_header(msg)
  local recipient = msg:recipient()
  local values = {}
  for _, name in ipairs(mod.TRACED) do
    values[name] = msg:get_meta(name)
  end
  msg:set_meta(MAC, mac(recipient.user .. '@' .. recipient.domain, values))
  kumo.apply_supplemental_trace_header(msg, {
    header_name = mod.TRACE_HEADER,
    include_meta_names = IN_TRACE,
  })
end

local function is_ours(trace)
  local ok, expected = pcall(mac, trace.recipient, trace)
  return ok and trace[MAC] == expected
end

-- What the trace headers of a message carry, and whether we made the one that
-- they are of; one that is none carries nothing.
local function traced_values(msg)
  local values = {}
  for _, value in ipairs(msg:get_all_named_header_values(mod.TRACE_HEADER)) do
    local ok, trace = pcall(function()
      local packed = value:gsub('%s', '')
      return kumo.json_parse(kumo.encode.base64_decode(packed))
    end)
    if ok and type(trace) == 'table' then
      if is_ours(trace) then
        return trace, true
      end
      for _, name in ipairs(mod.TRACED) do
        values[name] = values[name] or trace[name]
      end
      values.recipient = values.recipient or trace.recipient
    end
  end
  return values, false
end

-- The values of the message whose header block (with LF) a report returns, and
-- the recipient that its trace header names. Of one that is verified only the
-- subject comes from elsewhere.
function mod.values_of(block)
  if not block then
    return { headers = {}, verified = false }
  end
  -- kumod's own parser unfolds and decodes.
  local original = kumo.make_message(
    'postmaster@localhost',
    'postmaster@localhost',
    report_text.printable(block):gsub('\n', '\r\n') .. '\r\n'
  )
  local trace, verified = traced_values(original)
  local headers = {}
  for _, name in ipairs(mod.HEADERS) do
    local value = trace[name]
    if not value and (not verified or name == 'Subject') then
      value = original:get_first_named_header_value(name)
    end
    if type(value) == 'string' and #value <= LONGEST_FROM_REPORT then
      value = report_text.line(value, LONGEST_FROM_REPORT)
      if value ~= '' then
        headers[name] = value
      end
    end
  end
  local recipient = type(trace.recipient) == 'string' and trace.recipient or nil
  return { headers = headers, recipient = recipient, verified = verified }
end

return mod
