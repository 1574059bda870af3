-- Reception by SMTP takes bounces and complaints for our bounce and feedback
-- domains, and mail to the people behind them. They come from foreign domains:
-- nothing here may judge their From, and nothing signs them.
--
-- kumod gives a report up for one small fault, and drops an event whose
-- recipient it cannot parse. So each report is read here, and what kumod gets to
-- see is written anew from it: nothing is relayed, so the data may change.
local kumo = require 'kumo'

local address = require 'report_address'
local bounce = require 'report_bounce'
local complaint = require 'report_complaint'
local correlation = require 'correlation'
local data = require 'data'
local domains = require 'domains'
local inbox = require 'inbox'
local mime = require 'report_mime'
local original_of = require 'report_original'
local report_text = require 'report_text'

local mod = {}

-- What of a report is read: the rest is the returned message's own body.
local READ = 256 * 1024

-- Logged, then dropped: `true` would relay them on, which is a loop. What is
-- no report for such a domain kumod answers with 550, and every other domain
-- too, since none is relayed for.
function mod.listener_domain(domain)
  if domains.takes_reports(domain:lower()) then
    return kumo.make_listener_domain {
      log_oob = 'LogThenDrop',
      log_arf = 'LogThenDrop',
      relay_to = false,
    }
  end
end

local function replace(msg, kind, content_type, status, original)
  local boundary = 'ping8-' .. msg:id()
  local lines = {
    'MIME-Version: 1.0',
    string.format(
      'Content-Type: multipart/report; report-type=%s; boundary="%s"',
      kind,
      boundary
    ),
    '',
    '--' .. boundary,
    'Content-Type: ' .. content_type,
    '',
    status,
  }
  if original then
    table.insert(lines, '--' .. boundary)
    table.insert(lines, 'Content-Type: message/rfc822')
    table.insert(lines, '')
    local text = report_text.printable(original.message)
    table.insert(lines, (text:gsub('\n', '\r\n')))
  end
  table.insert(lines, '--' .. boundary .. '--')
  table.insert(lines, '')
  msg:set_data(table.concat(lines, '\r\n'))
end

local function is_foreign(domain)
  return not domains.takes_reports(domain) and not data.sender_domain(domain)
end

-- The address that a bounce is about, where its status part names none: the
-- trace header knows; then what its text says, and the message's own To.
local function fallback_for(root, original, values)
  return function(text)
    local failed = mime.first(root.fields, 'x-failed-recipients')
    local to = original and mime.first(mime.fields(original.block), 'to')
    return address.parse(values.recipient)
      or address.parse(failed)
      or (text and address.first(text, is_foreign))
      or (to and not to:find ',' and address.parse(to))
      or (next(values.headers) and address.UNKNOWN)
  end
end

-- A recipient that nobody knows: a report is worth keeping for people then.
local function names_everybody(report)
  for _, entry in ipairs(report) do
    if not entry.recipient then
      return false
    end
  end
  return true
end

local function take_bounce(msg, report, original)
  if not report or not names_everybody(report) then
    inbox.keep(msg)
    return
  end
  replace(
    msg,
    'delivery-status',
    'message/delivery-status',
    bounce.write(report),
    original
  )
end

local function take_complaint(msg, fields, original)
  replace(
    msg,
    'feedback-report',
    'message/feedback-report',
    complaint.write(fields),
    original
  )
end

local function read(msg)
  local text = msg:get_data():sub(1, READ):gsub('\r\n?', '\n')
  local root = mime.parse(text)
  local original = original_of.find(root)
  local values = correlation.values_of(original and original.block)
  msg:set_meta(correlation.VERIFIED, values.verified)
  if values.verified or not data.read('reception').verified_values_only then
    for name, value in pairs(values.headers) do
      msg:set_meta(name, value)
    end
  end
  local fields = complaint.read(root)
  if fields then
    return take_complaint(msg, fields, original)
  end
  local null_sender = (msg:sender().user or '') == ''
  local fallback = fallback_for(root, original, values)
  local report = bounce.read(root, fallback)
  if report == nil then
    report = bounce.read_words(root, original, null_sender, fallback)
  end
  if report ~= nil then
    return take_bounce(msg, report, original)
  end
  -- No word of a failure, but a message of ours comes back.
  if original and original.ours and not original.before and not null_sender then
    return take_complaint(msg, complaint.from_original(original), original)
  end
  if inbox.is_address(msg:recipient()) then
    inbox.keep(msg)
  end
end

-- The packet rules limit sessions (policy/limits.py); one peer's messages here.
local function limit(peer)
  local name = 'reports-' .. tostring(peer):gsub(':%d+$', '')
  local rate = 'local:' .. data.read('reception').reports_per_peer
  if kumo.make_throttle(name, rate):throttle().throttled then
    kumo.reject(451, '4.7.1 too many messages from you; try again later')
  end
end

-- Runs before kumod recognizes a report and makes events of it; those take
-- their correlation values from this message's metadata. A report that defies
-- reading is kept for people: it must be neither refused nor lost.
function mod.receive(msg)
  limit(msg:get_meta 'received_from')
  local ok, failure = pcall(read, msg)
  if not ok then
    kumo.log_warn(
      string.format(
        'report %s cannot be read, and is kept in the inbox: %s',
        msg:id(),
        report_text.line(tostring(failure), 500)
      )
    )
    inbox.keep(msg)
  end
end

return mod
