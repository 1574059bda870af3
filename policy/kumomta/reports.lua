-- Reception by SMTP takes bounces (RFC 3464) and complaints (RFC 5965) for our
-- bounce and feedback domains, and nothing else. They come from foreign
-- domains: nothing here may judge their From, and nothing signs them.
local kumo = require 'kumo'

local correlation = require 'correlation'
local data = require 'data'

local mod = {}

-- Logged, then dropped: `true` would relay them on, which is a loop. What is
-- no report for such a domain kumod answers with 550, and every other domain
-- too, since none is relayed for.
function mod.listener_domain(domain)
  if data.read('listener_domains')[domain:lower()] then
    return kumo.make_listener_domain {
      log_oob = 'LogThenDrop',
      log_arf = 'LogThenDrop',
      relay_to = false,
    }
  end
end

-- Runs before kumod recognizes a report and makes events of it; those take
-- their correlation values from this message's metadata. A report that cannot
-- be read must not be refused for it: its event is worth more than the values.
function mod.receive(msg)
  local ok, failure = pcall(correlation.capture_from_report, msg)
  if not ok then
    kumo.log_warn(
      'no correlation values in report '
        .. msg:id()
        .. ': '
        .. tostring(failure)
    )
  end
end

return mod
