-- The message that a report is about: its returned header block, wherever the
-- report has it. A part that returns the message comes before what a text for
-- people repeats of it.
local mime = require 'report_mime'
local report_text = require 'report_text'

local mod = {}

local RETURNED = {
  ['message/rfc822'] = true,
  ['message/global'] = true,
  ['message/partial'] = true,
  ['message/rfc822-headers'] = true,
  ['message/global-headers'] = true,
  ['text/rfc822-headers'] = true,
  ['text/rfc822'] = true,
}
local OURS = { 'x-kumoref:', 'x-ping8-' }
local DEEPEST = 3

local function is_ours(block)
  local lower = '\n' .. block:lower()
  for _, name in ipairs(OURS) do
    if lower:find('\n' .. name, 1, true) then
      return true
    end
  end
  return false
end

local function is_returned(part)
  local name = (part.parameters.name or ''):lower()
  return RETURNED[part.type] or name:match '%.eml$' ~= nil
end

-- The lines around number `at` up to a blank one on both sides, without what a
-- quotation puts in front of each.
local function block_around(lines, at, quotation)
  local function inside(number)
    local line = lines[number]
    return line
      and line:sub(1, #quotation) == quotation
      and line:sub(#quotation + 1):match '%S'
  end
  local first, last = at, at
  while inside(first - 1) do
    first = first - 1
  end
  while inside(last + 1) do
    last = last + 1
  end
  local block = {}
  for number = first, last do
    table.insert(block, lines[number]:sub(#quotation + 1))
  end
  return table.concat(block, '\n') .. '\n', first
end

-- The header block that a text repeats, and the text before it.
local function in_text(text)
  local lines = {}
  for line in (text .. '\n'):gmatch '([^\n]*)\n' do
    table.insert(lines, line)
  end
  for number, line in ipairs(lines) do
    local quotation, rest = line:match '^([>| \t]*)(.*)$'
    rest = rest:sub(1, 20):lower()
    for _, name in ipairs(OURS) do
      if rest:sub(1, #name) == name then
        local block, first = block_around(lines, number, quotation)
        return block, table.concat(lines, '\n', 1, first - 1)
      end
    end
  end
end

local find

-- A returned part may itself be a report about our message.
local function returned(part, depth)
  local content = mime.content(part):gsub('^%s*\n', '')
  local block = mime.split(content)
  local found = { block = block, message = content, ours = is_ours(block) }
  if not found.ours and depth < DEEPEST then
    local inner = find(mime.parse(content), depth + 1)
    if inner and inner.ours then
      return inner
    end
  end
  return found
end

function find(root, depth)
  local other
  local found = mime.walk(root, function(part)
    if is_returned(part) then
      local candidate = returned(part, depth)
      if candidate.ours then
        return candidate
      end
      other = other or candidate
    end
  end)
  found = found
    or mime.walk(root, function(part)
      if part.type:match '^text/' and not is_returned(part) then
        local text = mime.content(part)
        if part.type == 'text/html' then
          text = report_text.from_html(text)
        end
        local block, before = in_text(text)
        if block then
          return { block = block, message = block, ours = true, before = before }
        end
      end
    end)
  return found or other
end

-- `block` (its headers), `message` (all that was returned), `ours` (whether it
-- has a header by which we know it), `before` (the text in front of it, where a
-- text holds it); nil where a report returns nothing.
function mod.find(root)
  return find(root, 0)
end

return mod
