-- The headers of an injected message. kumod decodes all values of all headers
-- on request, which costs more than the rest of reception. So
-- they are parsed here, and kumod only decodes what needs it.
local mod = {}

-- Each header that is written as RFC 5322 has it: name, value, and where the
-- next one begins.
local HEADER = '^([!-9;-~]+):[ ]*([^\r\n]*)\r\n()'
local FOLDED = '^[ \t][^\r\n]*\r\n()'

local function is_plain(value)
  return not value:find '[^ -~]'
    and not value:find('=?', 1, true)
    and not value:find('  ', 1, true)
    and value:sub(-1) ~= ' '
end

-- A list of name and value, as `get_all_headers` gives it; a value is nil where
-- kumod would have to decode it. Nil where any line is not as it should be.
local function read(text)
  local list, at = {}, 1
  while text:sub(at, at + 1) ~= '\r\n' do
    local name, value, following = text:match(HEADER, at)
    if not name then
      return nil
    end
    at = following
    local more = text:match(FOLDED, at)
    if more or not is_plain(value) then
      value = nil
    end
    while more do
      at, more = more, text:match(FOLDED, more)
    end
    list[#list + 1] = { name, value }
  end
  return #list > 0 and list or nil
end

-- Where the first of each name is in the message `text`, by the name in lower
-- case; `repeated` is called with a name that is there again. `mod.value` has the values.
function mod.of(msg, text, repeated)
  local headers = {}
  for _, header in ipairs(read(text) or msg:get_all_headers()) do
    local name = header[1]:lower()
    if headers[name] then
      repeated(header[1])
    else
      headers[name] = header
    end
  end
  return headers
end

-- The decoded value of a header, or nil.
function mod.value(msg, headers, name)
  local header = headers[name:lower()]
  if header and header[2] == nil then
    header[2] = msg:get_first_named_header_value(name)
  end
  return header and header[2]
end

return mod
