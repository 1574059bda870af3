-- MIME of reports, with any faults. kumod's own parser reads all
-- of a message and rejects a whole report for a single fault; this one never
-- fails and takes time in proportion to its text. Lines end in LF here.
local kumo = require 'kumo'

local mod = {}

local DEEPEST = 8
local MOST_PARTS = 100
local MOST_FIELDS = 1000
local LONGEST_CONTENT_TYPE = 2000

-- The header block and what follows its blank line.
function mod.split(text)
  if text:sub(1, 1) == '\n' then
    return '', text:sub(2)
  end
  local at = text:find('\n\n', 1, true)
  if not at then
    return text, ''
  end
  return text:sub(1, at), text:sub(at + 2)
end

-- The fields of a block in order: `name` in lower case, `value` on one line.
function mod.fields(block)
  local list = {}
  for line in block:gmatch '[^\n]+' do
    local last = list[#list]
    if line:match '^[ \t]' then
      if last then
        table.insert(last.lines, (line:gsub('^%s+', '')))
      end
    elseif #list < MOST_FIELDS then
      local name, value = line:match '^([!-9;-~]+)[ \t]*:[ \t]*(.*)$'
      if name then
        table.insert(list, { name = name:lower(), lines = { value } })
      end
    end
  end
  for _, field in ipairs(list) do
    field.value = table.concat(field.lines, ' '):gsub('%s+$', '')
  end
  return list
end

-- The first value of a field, or nil.
function mod.first(fields, name)
  for _, field in ipairs(fields) do
    if field.name == name then
      return field.value
    end
  end
end

local function parameters(value)
  value = value:sub(1, LONGEST_CONTENT_TYPE)
  local found = {}
  local at = 1
  while true do
    local _, last, name = value:find(';%s*([%w*_.-]+)%s*=%s*', at)
    if not last then
      break
    end
    found[name:lower()] = value:match('^"([^"]*)"', last + 1)
      or value:match('^[^;%s]*', last + 1)
    at = last + 1
  end
  -- RFC 2231 allows to continue a long one.
  if not found.boundary and found['boundary*0'] then
    local number = 0
    found.boundary = ''
    while found['boundary*' .. number] do
      found.boundary = found.boundary .. found['boundary*' .. number]
      number = number + 1
    end
  end
  return found
end

local function sections(body, boundary)
  local mark = '\n--' .. boundary
  local list = {}
  body = '\n' .. body

  local function next_mark(from)
    while true do
      local at, last = body:find(mark, from, true)
      local following = at and body:sub(last + 1, last + 2)
      if
        not at
        or following == '--'
        or following == ''
        or following:match '^%s'
      then
        return at, last, following
      end
      from = last
    end
  end

  local at, last, following = next_mark(1)
  while at and following ~= '--' and #list < MOST_PARTS do
    local line_end = body:find('\n', last, true)
    if not line_end then
      break
    end
    local section_start = line_end + 1
    at, last, following = next_mark(line_end)
    table.insert(list, body:sub(section_start, at and at - 1 or -1))
  end
  return list
end

-- A text that was cut in the middle decodes as far as it goes.
local function decode_base64(text)
  local packed = text:gsub('[^A-Za-z0-9+/]', '')
  packed = packed:sub(1, #packed - #packed % 4)
    .. (
      #packed % 4 > 1
        and packed:sub(-(#packed % 4)) .. ('='):rep(4 - #packed % 4)
      or ''
    )
  for _, candidate in ipairs { packed, packed:sub(1, -5) } do
    local ok, decoded = pcall(kumo.encode.base64_decode, candidate)
    if ok then
      return decoded
    end
  end
  return text
end

local function decode_quoted_printable(text)
  text = text:gsub('=[ \t]*\n', '')
  return (
    text:gsub('=(%x%x)', function(code)
      return string.char(tonumber(code, 16))
    end)
  )
end

local function to_utf8(text, charset)
  if utf8.len(text) then
    return text
  end
  if charset:match '^iso%-8859%-1' or charset:match '^windows%-125' then
    return (
      text:gsub('[\x80-\xFF]', function(byte)
        return utf8.char(byte:byte())
      end)
    )
  end
  return (text:gsub('[\x80-\xFF]', '?'))
end

-- The content of a part that has none inside, decoded.
function mod.content(part)
  local text = part.body
  local encoding = (mod.first(part.fields, 'content-transfer-encoding') or ''):lower()
  if encoding:match '^%s*base64' then
    text = decode_base64(text)
  elseif encoding:match '^%s*quoted%-printable' then
    text = decode_quoted_printable(text)
  end
  text = to_utf8(text, (part.parameters.charset or ''):lower())
  return (text:gsub('\r\n?', '\n'))
end

-- A message, or a part of one: `type` (in lower case), `parameters`, `fields`,
-- `body` as it is, and the `parts` of a multipart.
function mod.parse(text, depth)
  depth = depth or 0
  local block, body = mod.split(text)
  local fields = mod.fields(block)
  local content_type = mod.first(fields, 'content-type') or 'text/plain'
  local part = {
    type = (content_type:match '^%s*([^;%s]+)' or 'text/plain'):lower(),
    parameters = parameters(content_type),
    fields = fields,
    body = body,
    parts = {},
  }
  local boundary = part.parameters.boundary
  if
    part.type:match '^multipart/'
    and boundary
    and boundary ~= ''
    and depth < DEEPEST
  then
    for _, section in ipairs(sections(body, boundary)) do
      table.insert(part.parts, mod.parse(section, depth + 1))
    end
    if #part.parts == 0 then
      part.type = 'text/plain'
    end
  end
  return part
end

-- Calls `visit` for each part that has none inside, until it returns something.
function mod.walk(part, visit)
  if #part.parts == 0 then
    return visit(part)
  end
  for _, child in ipairs(part.parts) do
    local found = mod.walk(child, visit)
    if found then
      return found
    end
  end
end

return mod
