-- Reception by HTTP. The injection API answers 200 even for what is refused
-- here: `fail_count` and `errors` in its answer tell PING8. The text of a
-- refusal reaches the caller followed by Lua's stack trace.
local kumo = require 'kumo'

local correlation = require 'correlation'
local data = require 'data'
local signing = require 'signing'

local mod = {}

-- RFC 5322 allows each once. A second one is how a value with a line break in
-- it, put into a template, adds a header of its own.
local ONCE = {}
for _, name in ipairs {
  'From',
  'Sender',
  'Reply-To',
  'To',
  'Cc',
  'Subject',
  'Date',
  'Message-ID',
  'MIME-Version',
  'Content-Type',
  'Content-Transfer-Encoding',
  'List-Unsubscribe',
  'List-Unsubscribe-Post',
} do
  ONCE[name:lower()] = true
end
for _, name in ipairs(correlation.HEADERS) do
  ONCE[name:lower()] = true
end

local function printable(text)
  return (tostring(text):gsub('[^ -~]', '?'):sub(1, 255))
end

-- Returns the names of the headers that the message has, in lower case.
local function refuse_repeated_headers(msg)
  local seen = {}
  for _, header in ipairs(msg:get_all_headers()) do
    local name = header[1]:lower()
    if seen[name] and ONCE[name] then
      kumo.reject(
        550,
        string.format(
          '5.6.0 header %s stands twice: only one is allowed',
          printable(header[1])
        )
      )
    end
    seen[name] = true
  end
  return seen
end

-- Put in front as text: kumod's own mend (`check_fix_conformance`) parses all
-- parts and writes the message anew, up to 2026.09 wrongly where text stands
-- before the first part.
local function add_missing_headers(msg, present, domain)
  if not present['message-id'] then
    local id = string.format('<%s@%s>', msg:id(), printable(domain))
    msg:prepend_header('Message-ID', id)
  end
  if not present.date then
    msg:prepend_header('Date', kumo.time.now().rfc2822)
  end
end

local function from_domain(msg)
  local ok, domain = pcall(function()
    return msg:from_header().domain
  end)
  if not ok or not domain or domain == '' then
    kumo.reject(550, '5.6.0 no single valid address in the From header')
  end
  return domain:lower()
end

-- An address literal of RFC 5321: quotes the local part where it must be, and
-- is not.
local function address(user, domain)
  if user:match '^".*"$' then
    return user .. '@' .. domain
  end
  if
    not user:match "^[%w!#$%%&'*+/=?^_`{|}~.-]+$"
    or user:match '^%.'
    or user:match '%.$'
    or user:match '%.%.'
  then
    user = '"' .. user:gsub('["\\]', '\\%0') .. '"'
  end
  return user .. '@' .. domain
end

-- Bounces must come to a domain of ours that aligns with From (SPF, DMARC).
-- An empty envelope sender stays: nothing may bounce to it.
local function move_envelope_sender(msg, domain, bounce)
  local sender = msg:sender()
  local user = sender.user
  local current = (sender.domain or ''):lower()
  if not user or user == '' or current == bounce then
    return
  end
  local ours = data.read('listener_domains')[current]
  local organization = kumo.string.psl_domain(domain)
  if
    ours
    and organization
    and kumo.string.psl_domain(current) == organization
  then
    return
  end
  msg:set_sender(address(user, bounce))
end

local function refuse_unknown(domain)
  kumo.reject(
    550,
    string.format(
      '5.7.1 sender domain %s is not one of ours: '
        .. 'add it to the settings (domains) or correct From',
      printable(domain)
    )
  )
end

function mod.receive(msg)
  local rules = data.read 'reception'
  local present = refuse_repeated_headers(msg)
  local domain = from_domain(msg)
  local known = data.read('sender_domains')[domain]
  if not known and rules.unknown_senders ~= 'accept' then
    refuse_unknown(domain)
  end
  local missing = correlation.capture(msg)
  if missing and rules.missing_headers == 'refuse' then
    kumo.reject(550, '5.6.0 headers missing: ' .. missing)
  end
  add_missing_headers(msg, present, domain)
  correlation.add_trace_header(msg)
  if known then
    msg:set_meta('tenant', known.brand)
    if rules.envelope_sender == 'bounce-domain' then
      move_envelope_sender(msg, domain, known.bounce)
    end
    -- Last: nothing may change the message after it is signed.
    signing.sign(msg, domain, known.signers)
  end
end

return mod
