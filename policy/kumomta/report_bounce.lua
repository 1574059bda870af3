-- Bounces: delivery reports (RFC 3464, RFC 6533) with any faults, and the free
-- text of servers that do not send such reports.
local kumo = require 'kumo'

local address = require 'report_address'
local mime = require 'report_mime'
local report_text = require 'report_text'

local mod = {}

local LONGEST = 800

local STATUS_PARTS = {
  ['message/delivery-status'] = true,
  ['message/global-delivery-status'] = true,
  ['text/delivery-status'] = true,
}

local OF_RECIPIENT = {
  ['original-recipient'] = true,
  ['final-recipient'] = true,
  ['action'] = true,
  ['status'] = true,
  ['remote-mta'] = true,
  ['diagnostic-code'] = true,
  ['last-attempt-date'] = true,
}

local STARTS = { ['original-recipient'] = true, ['final-recipient'] = true }

local function is_whole(entry)
  return entry.action
    and (entry['final-recipient'] or entry['original-recipient'])
end

-- The fields about the message, and those of each recipient. Blank lines part
-- them, but some servers write one too many, or none.
local function read_status(text)
  local message, entries = {}, {}
  local entry
  for chunk in (text .. '\n\n'):gmatch '(.-)\n[ \t]*\n' do
    local fresh = true
    for _, field in ipairs(mime.fields(chunk)) do
      if OF_RECIPIENT[field.name] then
        if
          not entry
          or (fresh and is_whole(entry))
          or (STARTS[field.name] and entry[field.name])
        then
          entry = {}
          table.insert(entries, entry)
        end
        fresh = false
        entry[field.name] = entry[field.name] or field.value
      else
        message[field.name] = message[field.name] or field.value
      end
    end
  end
  return message, entries
end

-- The numbers of an enhanced status code in a text.
local function enhanced_code(text)
  local class, subject, detail =
    text:match '%f[%d]([245])%.(%d%d?%d?)%.(%d%d?%d?)%f[^%d]'
  if class then
    return string.format('%s.%s.%s', class, subject, detail)
  end
end

local function reply_code(text)
  return text:match '^([45]%d%d)[ :-]' or text:match '^([45]%d%d)$'
end

-- kumod takes the reply from here, if the type is exactly `smtp` and a code and
-- a blank come first.
local function diagnostic(value, status)
  local kind, rest = value:match '^%s*([%w.-]+)%s*;%s*(.*)$'
  local text = report_text.field(rest or value, LONGEST)
  if not kind then
    text = text:gsub('^[sS][mM][tT][pP]%s+', '')
  end
  local code = reply_code(text)
  if code then
    text = text:gsub('^' .. code .. '[ :-]*', '')
    -- Replies of several lines repeat it.
    text = text:gsub(' ' .. code .. '%-', ' ')
  else
    code = status:match '^4' and '450' or '550'
  end
  return string.format('%s %s', code, text ~= '' and text or status)
end

local function action_of(entry, status)
  local action = (entry.action or ''):lower():match '%a+' or ''
  for _, known in ipairs { 'delivered', 'relayed', 'expanded' } do
    if action == known then
      return known
    end
  end
  if action:match '^delay' or action == 'warning' then
    return 'delayed'
  end
  if action == '' and status:match '^[24]' then
    return status:match '^2' and 'delivered' or 'delayed'
  end
  return 'failed'
end

local function status_of(entry)
  local given = entry.status or ''
  local text = entry['diagnostic-code'] or ''
  local class, subject = given:match '^%s*([245])%.(%d%d?%d?)%s*$'
  if class then
    return string.format('%s.%s.0', class, subject)
  end
  local code = text:match '%f[%d]([45])%d%d[ :-]'
  return enhanced_code(given)
    or enhanced_code(text)
    or (code and code .. '.0.0')
    or (given:match '^%s*4' and '4.0.0')
    or '5.0.0'
end

-- A date that kumod understands, or nil: for another one it drops the report.
local function date_of(value)
  local ok, date = pcall(function()
    -- A wrong day of the week is an error, and none is not.
    local time = kumo.time.parse_rfc2822((value:gsub('^%s*%a+,?%s+', '')))
    return time.rfc2822
  end)
  return ok and date or nil
end

local function reporting_mta(value)
  local name = value and value:match ';%s*(.+)$' or value
  name = name and report_text.field(name, 255)
  return name and name ~= '' and name or 'unknown'
end

local function delivery_report(text, fallback)
  local message, entries = read_status(text)
  local report = { reporting_mta = reporting_mta(message['reporting-mta']) }
  for _, entry in ipairs(entries) do
    local status = status_of(entry)
    local action = action_of(entry, status)
    local to = address.parse(entry['original-recipient'])
      or address.parse(entry['final-recipient'])
    table.insert(report, {
      -- Only a failure makes an event.
      recipient = to or fallback() or (action ~= 'failed' and address.UNKNOWN),
      action = action,
      status = status,
      diagnostic = diagnostic(entry['diagnostic-code'] or '', status),
      date = entry['last-attempt-date'] and date_of(entry['last-attempt-date']),
    })
  end
  return #report > 0 and report or nil
end

-- A report by its status part; nil where there is none, or nothing in it.
-- `fallback` gives an address where it names none.
function mod.read(root, fallback)
  local found = mime.walk(root, function(part)
    if STATUS_PARTS[part.type] then
      return delivery_report(mime.content(part), fallback)
    end
  end)
  return found
    or mime.walk(root, function(part)
      if part.type:match '^text/' and #root.parts > 0 then
        local text = mime.content(part)
        local lower = '\n' .. text:lower()
        if
          lower:find '\nfinal%-recipient[ \t]*:'
          and lower:find '\naction[ \t]*:'
        then
          return delivery_report(text, fallback)
        end
      end
    end)
end

-- Bounces in free text --------------------------------------------------------

local DAEMONS = {
  'mailer%-daemon',
  'mailerdaemon',
  'postmaster',
  'mail%-daemon',
  'mail delivery',
  'mdaemon',
  'mail administrator',
  'maildaemon',
}

local FAILURES = {
  'undeliver',
  'not delivered',
  'could not be delivered',
  "couldn't be delivered",
  'cannot be delivered',
  'not be delivered',
  'unable to deliver',
  'delivery fail',
  'delivery status notification',
  'delivery to the following',
  'delivery has failed',
  'delivery error',
  'delivery problem',
  'failure notice',
  'failed permanently',
  'failed address',
  'failed recipient',
  'mail system error',
  'mail delivery failed',
  'message delivery failure',
  'returned mail',
  'returned to sender',
  'no such user',
  'user unknown',
  'unknown user',
  'unzustellbar',
  'non remis',
  'no se pudo entregar',
  'mailbox full',
  'over quota',
}

local WARNINGS = {
  'delivery status notification %(delay',
  'delivery delayed',
  'will be retried',
  'will retry',
  'still trying',
  'continue to try',
  'keep trying',
  'will continue trying',
  'this is a warning message only',
  'no action is required on your part',
  'warning: could not send',
  'warning: message',
}

local function any(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then
      return true
    end
  end
  return false
end

-- The text for people, without the message that it returns.
local function human_text(root, original)
  if original and original.before then
    return original.before
  end
  return mime.walk(root, function(part)
    if part.type == 'text/plain' or part.type == 'text/html' then
      local text = mime.content(part)
      if part.type == 'text/html' then
        text = report_text.from_html(text)
      end
      return text:match '%S' and text
    end
  end) or ''
end

-- The line that says why, with its code; else the first line with words.
local function reason(text)
  local first, with_reply
  for line in text:gmatch '[^\n]+' do
    local plain = report_text.field(line, LONGEST)
    if enhanced_code(plain) then
      return plain, true
    end
    if plain:find '%f[%d][45]%d%d[ :-]' then
      with_reply = with_reply or plain
    end
    if plain:match '%a%a' then
      first = first or plain
    end
  end
  return with_reply or first or '', with_reply ~= nil
end

local function is_automatic_answer(fields)
  local subject = (mime.first(fields, 'subject') or ''):lower()
  return mime.first(fields, 'x-autoreply')
    or mime.first(fields, 'x-autorespond')
    or (mime.first(fields, 'precedence') or ''):lower():find 'auto_reply'
    or (mime.first(fields, 'auto-submitted') or ''):lower():find 'auto%-replied'
    or subject:find '^%s*automatic reply'
    or subject:find 'out of office'
end

-- Whether a mail that is not a delivery report still reports a failure:
-- true, false, or nil if it might.
local function tells_of_failure(root, text, original, null_sender)
  local fields = root.fields
  local kind = (root.parameters['report-type'] or ''):lower()
  local from = (mime.first(fields, 'from') or ''):lower()
  if
    mime.first(fields, 'x-failed-recipients')
    or kind == 'delivery-status'
    or any(from, DAEMONS)
  then
    return true
  end
  if not null_sender then
    return false
  end
  local words = (mime.first(fields, 'subject') or '') .. '\n' .. text
  if (original and original.ours) or any(words:lower(), FAILURES) then
    return true
  end
  if is_automatic_answer(fields) then
    return false
  end
  return enhanced_code(text) and true or nil
end

-- A report out of words. Its bounce class is `Unparsed` where they say no reason
-- (data/bounces.toml). Nil where this is no bounce; `false` where it is or may
-- be one, and names no address.
function mod.read_words(root, original, null_sender, fallback)
  local text = human_text(root, original)
  local failure = tells_of_failure(root, text, original, null_sender)
  if failure == false then
    return nil
  end
  if failure == nil then
    return false
  end
  local failed = mime.first(root.fields, 'x-failed-recipients') or ''
  local report = { reporting_mta = 'unknown' }
  local lower = ((mime.first(root.fields, 'subject') or '') .. '\n' .. text):lower()
  local why, has_code = reason(text)
  local status = enhanced_code(why)
  local code = why:match '%f[%d]([45])%d%d[ :-]'
  local entry = {
    action = any(lower, WARNINGS) and 'delayed' or 'failed',
    status = status or (code and code .. '.0.0') or '5.0.0',
  }
  if has_code then
    local reply = why:match '%f[%d][45]%d%d[ :-].*$' or why
    entry.diagnostic = diagnostic(reply, entry.status)
  else
    local subject = mime.first(root.fields, 'subject') or ''
    why = why ~= '' and why or report_text.field(subject, LONGEST)
    entry.diagnostic = '550 Unparsed bounce: ' .. why
  end
  for name in failed:gmatch '[^,%s]+' do
    local to = address.parse(name)
    if to then
      local one = { recipient = to }
      table.insert(report, setmetatable(one, { __index = entry }))
    end
  end
  if #report == 0 then
    entry.recipient = fallback(text)
    if not entry.recipient then
      return false
    end
    table.insert(report, entry)
  end
  return report
end

-- The report in a form that kumod always parses.
function mod.write(report)
  local lines = { 'Reporting-MTA: dns; ' .. report.reporting_mta }
  for _, entry in ipairs(report) do
    table.insert(lines, '')
    table.insert(lines, 'Final-Recipient: rfc822; ' .. entry.recipient)
    table.insert(lines, 'Action: ' .. entry.action)
    table.insert(lines, 'Status: ' .. entry.status)
    table.insert(lines, 'Diagnostic-Code: smtp; ' .. entry.diagnostic)
    if entry.date then
      table.insert(lines, 'Last-Attempt-Date: ' .. entry.date)
    end
  end
  return table.concat(lines, '\r\n') .. '\r\n'
end

return mod
