-- Complaints: feedback reports (RFC 5965), and returned messages without one.
local address = require 'report_address'
local mime = require 'report_mime'
local report_text = require 'report_text'

local mod = {}

local LONGEST = 800
local MOST_FIELDS = 100

local function is_number(value)
  return value:match '^%d%d?%d?%d?%d?%d?%d?%d?%d?$'
end

local function is_typed(value)
  return value:find(';', 1, true) and value
end

local function in_lower_case(value)
  return value:lower()
end

local function as_address(value)
  if value == '<>' then
    return value
  end
  local found = address.parse(value)
  -- The rest of a complaint must be ASCII, too.
  return found and not found:find '[\x80-\xFF]' and found
end

-- A field that kumod cannot read costs the whole report: each is written once
-- (`once`) and as kumod takes it (`as`), or left out.
local KNOWN = {
  ['feedback-type'] = { once = true, default = 'abuse', as = in_lower_case },
  ['user-agent'] = { once = true, default = 'unknown' },
  ['version'] = { once = true, default = '1' },
  ['arrival-date'] = { once = true },
  ['received-date'] = { once = true },
  ['incidents'] = { once = true, as = is_number },
  ['original-envelope-id'] = { once = true },
  ['original-mail-from'] = { once = true, as = as_address },
  ['original-rcpt-to'] = { as = as_address },
  ['reporting-mta'] = { once = true, as = is_typed },
  ['source-ip'] = { once = true },
}

local function clean(fields)
  local list, seen = {}, {}
  for _, field in ipairs(fields) do
    local known = KNOWN[field.name] or {}
    local value = report_text.ascii_field(field.value, LONGEST)
    if known.as then
      value = known.as(value)
    end
    if
      value
      and value ~= ''
      and not (known.once and seen[field.name])
      and field.name:match '^[%w-]+$'
      and #list < MOST_FIELDS
    then
      seen[field.name] = true
      table.insert(list, { name = field.name, value = value })
    end
  end
  for name, known in pairs(KNOWN) do
    if known.default and not seen[name] then
      table.insert(list, { name = name, value = known.default })
    end
  end
  return list
end

-- The fields of a feedback report, or nil where a message has none.
function mod.read(root)
  return mime.walk(root, function(part)
    if part.type == 'message/feedback-report' then
      return clean(mime.fields(mime.content(part)))
    end
  end)
end

-- Some providers return the message alone (Microsoft's JMRP).
function mod.from_original(original)
  local fields = {}
  local to = mime.first(mime.fields(original.block), 'x-hmxmroriginalrecipient')
  if to then
    table.insert(fields, { name = 'original-rcpt-to', value = to })
  end
  return clean(fields)
end

function mod.write(fields)
  local lines = {}
  for _, field in ipairs(fields) do
    table.insert(lines, string.format('%s: %s\r\n', field.name, field.value))
  end
  return table.concat(lines)
end

return mod
