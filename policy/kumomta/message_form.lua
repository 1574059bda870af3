-- Finds what RFC 5322 does not allow in an injected message, and what kumod would
-- change silently when it rewrites the headers. kumod's parser is
-- lenient and its builder copies names of headers and of the recipient as they
-- are, line breaks included. `text` is the message, whose lines kumod has given
-- CRLF.
local kumo = require 'kumo'

local mod = {}

-- kumod cuts a longer word after 900 characters, and a URL with it.
local LONGEST_WORD = 899
local TOO_LONG = '%f[%S]' .. ('%S'):rep(LONGEST_WORD + 1)
local LONGEST_LINE = 998

local CONTROL = '[%z\1-\8\11\12\14-\31\127]'
local BEYOND_ASCII = '[\128-\255]'

local function refuse(reason, ...)
  kumo.reject(550, '5.6.0 ' .. string.format(reason, ...))
end

-- The headers' lines, with a line break before and after each.
local function head_of(text)
  local last = text:find('\r\n\r\n', 1, true) or #text
  return '\n' .. text:sub(1, last + 1), last
end

local function header_at(head, position)
  local name = head:sub(1, position):match '.*\n([!-9;-~]+):'
  return name and name:sub(1, 60) or 'of the beginning'
end

local function check_lines(head)
  local at = 2
  while true do
    local last = head:find('\r\n', at, true)
    if not last then
      return
    end
    if last - at > LONGEST_WORD then
      local line = head:sub(at, last - 1)
      if line:find(TOO_LONG) then
        refuse(
          'header %s has more than %d characters without a blank, '
            .. 'which would be cut: shorten it',
          header_at(head, last),
          LONGEST_WORD
        )
      end
      if #line > LONGEST_LINE then
        refuse(
          'header %s has a line of more than %d octets: shorten its name',
          header_at(head, last),
          LONGEST_LINE
        )
      end
    end
    at = last + 2
  end
end

-- The builder puts a recipient's name into To with its line breaks, so that
-- what follows one would be a header or the body.
local function check_to(msg, head)
  local value = head:match '\n[Tt][Oo]:([^\r\n]*)'
  if not value or not value:find('"', 1, true) then
    return
  end
  local _, quotes = value:gsub('\\.', ''):gsub('"', '')
  if quotes % 2 == 1 and not pcall(msg.to_header, msg) then
    refuse 'header To has a quote that is not closed, as by a line break in a name'
  end
end

function mod.check(msg, text)
  local head = head_of(text)
  local bad = head:find '\n[!-9;-~]+[^!-9;-~:]' or head:find('\n:', 1, true)
  if bad then
    refuse(
      'a line after header %s is no header: write a name without blanks, a colon and a value',
      header_at(head, bad)
    )
  end
  local control = head:find(CONTROL)
  if control then
    refuse(
      'header %s has a control character: remove it',
      header_at(head, control)
    )
  end
  check_lines(head)
  check_to(msg, head)
end

-- The form of the name in settings and DNS: ASCII (IDNA), lower case.
-- kumod's own addresses are in that form.
function mod.ascii_domain(domain)
  if not domain:find(BEYOND_ASCII) then
    return domain:lower()
  end
  -- The full stops of Chinese and Japanese.
  for _, dot in ipairs { '\u{3002}', '\u{FF0E}', '\u{FF61}' } do
    domain = domain:gsub(dot, '.')
  end
  local ok, ascii = pcall(function()
    local probe = kumo.make_message('', 'x@' .. domain, '')
    return probe:recipient().domain
  end)
  return ok and ascii:lower() or domain
end

local function ascii_domains(text)
  return (
    text:gsub(
      '@([^%s@<>()%[%],;:\\"]*[\128-\255][^%s@<>()%[%],;:\\"]*)',
      function(domain)
        return '@' .. mod.ascii_domain(domain)
      end
    )
  )
end

-- Address domains are sent in ASCII: then receivers need no SMTPUTF8,
-- and DKIM and DMARC find the From domain. kumod has encoded all other
-- non-ASCII text. Returns the resulting message.
function mod.write_domains_in_ascii(msg, text)
  local head, last = head_of(text)
  if not head:find(BEYOND_ASCII) then
    return text
  end
  text = ascii_domains(text:sub(1, last)) .. text:sub(last + 1)
  msg:set_data(text)
  return text
end

-- The builder encodes a non-ASCII From address as if it were words.
function mod.decode_from(msg)
  local value = msg:get_first_named_header_value 'From'
  if value and value:find(BEYOND_ASCII) then
    msg:remove_all_named_headers 'From'
    msg:prepend_header('From', ascii_domains(value))
  end
end

return mod
