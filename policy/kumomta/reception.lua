-- Reception by HTTP. The injection API answers 200 even for mail that is refused
-- here: `fail_count` and `errors` in its answer tell PING8. The text of a
-- refusal reaches the caller followed by Lua's stack trace.
--
-- kumod parses the message's headers again at each call that asks for one, so
-- they are read once (`headers`), and calls that would find nothing are
-- skipped.
local kumo = require 'kumo'

local correlation = require 'correlation'
local data = require 'data'
local domains = require 'domains'
local headers_of = require('headers').of
local message_form = require 'message_form'
local queues = require 'queues'
local signing = require 'signing'

local mod = {}

-- RFC 5322 allows each only once. A second one appears if a template value with
-- a line break adds a header.
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
  'In-Reply-To',
  'References',
  'MIME-Version',
  'Content-Type',
  'Content-Transfer-Encoding',
  'List-Unsubscribe',
  'List-Unsubscribe-Post',
  'Feedback-ID',
  'CFBL-Address',
} do
  ONCE[name:lower()] = true
end
for _, name in ipairs(correlation.HEADERS) do
  ONCE[name:lower()] = true
end

local function ascii(text)
  return (tostring(text):gsub('[^ -~]', '?'):sub(1, 255))
end

local function refuse_repeated(name)
  if ONCE[name:lower()] then
    kumo.reject(
      550,
      string.format(
        '5.6.0 header %s is repeated: only one is allowed',
        ascii(name)
      )
    )
  end
end

-- Prepended as text: kumod's own fix (`check_fix_conformance`) parses all
-- parts and rewrites the message.
local function add_missing_headers(msg, headers, domain)
  if not headers['message-id'] then
    msg:prepend_header(
      'Message-ID',
      string.format('<%s@%s>', msg:id(), ascii(domain))
    )
  end
  if not headers.date then
    msg:prepend_header('Date', kumo.time.now().rfc2822)
  end
end

local function remove(msg, headers, name)
  if headers[name:lower()] then
    msg:remove_all_named_headers(name)
    headers[name:lower()] = nil
  end
end

local function parsed_from_domain(msg)
  local ok, domain = pcall(function()
    return msg:from_header().domain
  end)
  return ok and domain ~= '' and domain or nil
end

local function from_domain(msg)
  local domain = parsed_from_domain(msg)
  if not domain then
    message_form.decode_from(msg)
    domain = parsed_from_domain(msg)
  end
  if not domain then
    kumo.reject(
      550,
      '5.6.0 no single valid address in the From header: write one, such as '
        .. 'News <news@example.com>, without a dot at its end'
    )
  end
  return message_form.ascii_domain(domain)
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
  local ours = domains.takes_reports(current)
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
      ascii(domain)
    )
  )
end

-- Its owner has not published the records that mail needs; PING8 tries again.
local function refuse_held(domain)
  kumo.reject(
    451,
    string.format(
      '4.7.1 sender domain %s is held until its DNS records are published: '
        .. 'see `ping8 domains check`; try again later',
      ascii(domain)
    )
  )
end

-- Mail to the name of the webhook queue would be posted as an event.
local function check_recipient(msg, only)
  local recipient = msg:recipient()
  local domain = (recipient.domain or ''):lower()
  if domain == queues.WEBHOOK then
    kumo.reject(550, '5.1.2 no mail can be sent to ' .. domain)
  end
  local whole = (recipient.user or ''):lower() .. '@' .. domain
  if only and not (only[domain] or only[whole]) then
    kumo.reject(
      550,
      string.format(
        '5.7.1 recipient %s is not among those that this environment may mail: '
          .. 'see the settings (reception.recipients)',
        ascii(whole)
      )
    )
  end
end

function mod.receive(msg)
  local rules = data.read 'reception'
  check_recipient(msg, rules.recipients)
  local text = msg:get_data()
  message_form.check(msg, text)
  text = message_form.write_domains_in_ascii(msg, text)
  local headers = headers_of(msg, text, refuse_repeated)
  local domain = from_domain(msg)
  local known = data.sender_domain(domain)
  if not known and rules.unknown_senders ~= 'accept' then
    refuse_unknown(domain)
  end
  if known and known.held then
    refuse_held(domain)
  end
  local missing = correlation.capture(msg, headers)
  if missing and rules.missing_headers == 'refuse' then
    kumo.reject(550, '5.6.0 headers missing: ' .. missing)
  end
  add_missing_headers(msg, headers, domain)
  remove(msg, headers, 'Bcc')
  remove(msg, headers, correlation.TRACE_HEADER)
  if rules.strip_correlation then
    for _, name in ipairs(correlation.TRACED) do
      remove(msg, headers, name)
    end
  end
  correlation.add_trace_header(msg)
  if known then
    msg:set_meta('tenant', known.brand)
    if rules.envelope_sender == 'bounce-domain' then
      move_envelope_sender(msg, domain, domains.bounce(domain, known))
    end
    -- Last: nothing may change the message after it is signed.
    signing.sign(msg, domain, known, headers)
  end
end

return mod
