-- The addresses that a report names. An event whose recipient kumod cannot parse
-- again is lost in its log hook, so what is no SMTP address never gets there.
local kumo = require 'kumo'

local report_text = require 'report_text'

local mod = {}

local LONGEST = 320

-- Where correlation values name the message, but no address is known.
mod.UNKNOWN = 'unknown@recipient.invalid'

-- kumod itself decides, as its log hook will.
local function is_address(text)
  return #text <= LONGEST
    and text:match '^[^%c<>]+@[^%c<>@]+$' ~= nil
    and pcall(kumo.make_message, 'postmaster@localhost', text, '')
end

-- An address out of a field's or a line's text: `rfc822; u@example.net`,
-- `<u@example.net>`, `u@example.net (Somebody)`, RFC 6533's `utf-8; \x{FC}@...`;
-- or nil.
function mod.parse(value)
  if not value then
    return nil
  end
  local kind, rest = value:match '^%s*([%w.-]+)%s*;%s*(.*)$'
  local text = report_text.line(rest or value, 1000)
  if (kind or ''):lower() == 'utf-8' then
    text = text:gsub('\\x{(%x%x?%x?%x?%x?)}', function(code)
      local point = tonumber(code, 16)
      -- Half of a surrogate pair is no character: the escape stays, which no
      -- address has.
      return (point < 0xD800 or point > 0xDFFF) and utf8.char(point) or nil
    end)
    text = report_text.line(text, 1000)
  end
  text = text:match '<%s*([^<>]-)%s*>' or text:gsub('%b()', '')
  text = text:gsub('^%s+', ''):gsub('[%s.,;:]+$', '')
  text = text:gsub('^[\'"]([^\'"]+@[^\'"]+)[\'"]$', '%1')
  text = text:gsub('^[mM][aA][iI][lL][tT][oO]:', '')
  return is_address(text) and text or nil
end

-- The first address in a text that `accept` takes. It looks back from each `@`: a
-- pattern that begins with the name would read hostile text again and again.
function mod.first(text, accept)
  local at = text:find('@', 1, true)
  while at do
    local before = text:sub(math.max(1, at - LONGEST), at - 1):reverse()
    local name = before:match '^[^%s<>()%[%],;:"]+'
    local domain = text:match('^[%w.-]+%w', at + 1)
    local found = name and domain and mod.parse(name:reverse() .. '@' .. domain)
    if found and accept(found:match('@([^@]+)$'):lower()) then
      return found
    end
    at = text:find('@', at + 1, true)
  end
end

return mod
