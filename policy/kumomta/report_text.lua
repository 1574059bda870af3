-- Text out of reports. It comes from anybody, and ends in records, journals and
-- terminals: no control character passes.
local kumo = require 'kumo'

local mod = {}

local REPLACED = '?'

-- Only UTF-8, without control characters but tab and line feed: those of ASCII,
-- of ISO 8859, and the ones that turn the direction of text around. The rule of
-- hostagent/text.py.
function mod.printable(text)
  if not utf8.len(text) then
    text = text:gsub('[\x80-\xFF]', REPLACED)
  end
  text = text:gsub('[\0-\8\11-\31\127]', REPLACED)
  text = text:gsub('\xC2[\x80-\x9F]', REPLACED):gsub('\xD8\x9C', REPLACED)
  text = text:gsub('\xE2\x80[\x8E\x8F\xA8-\xAE]', REPLACED)
  return (text:gsub('\xE2\x81[\xA6-\xA9]', REPLACED))
end

-- One line of at most so many bytes.
function mod.line(text, most)
  text = mod.printable(text):gsub('%s+', ' '):gsub('^ ', ''):gsub(' $', '')
  if #text > most then
    -- Not in the middle of a character.
    text = text:sub(1, utf8.offset(text, 0, most + 1) - 1)
  end
  return text
end

-- The value of a field, decoded (RFC 2047), on one line. What still looks
-- encoded is broken up: kumod would decode it again.
function mod.field(value, most)
  if value:find('=?', 1, true) then
    local ok, decoded = pcall(function()
      local holder = kumo.make_message(
        'postmaster@localhost',
        'postmaster@localhost',
        'X-Value: ' .. value:sub(1, 4000):gsub('[\r\n]', ' ') .. '\r\n\r\n'
      )
      return holder:get_first_named_header_value 'X-Value'
    end)
    value = ok and decoded or value
  end
  return (mod.line(value, most):gsub('=%?', '= ?'))
end

-- The same in ASCII: kumod refuses a whole complaint for one other byte.
function mod.ascii_field(value, most)
  return (mod.field(value, most):gsub('[\x80-\xFF]+', REPLACED))
end

-- What somebody sees of a page in HTML.
function mod.from_html(text)
  text = text:gsub('<[bB][rR][^>]*>[ \t]*\n?', '\n')
  text = text:gsub('</?[pPdDtT][%a]*[^>]*>', '\n')
  text = text:gsub('<[^>]*>', ''):gsub('&nbsp;', ' '):gsub('&quot;', '"')
  text = text:gsub('&#39;', "'"):gsub('&lt;', '<'):gsub('&gt;', '>')
  return (text:gsub('&amp;', '&'))
end

return mod
