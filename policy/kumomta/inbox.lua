-- Mail to people that comes to a report domain: to postmaster@ and abuse@, to
-- addresses that we tell others to write to, and bounces that name nobody. kumod
-- relays nothing, so a copy goes to a queue that writes a maildir;
-- `ping8 inbox` reads it and the host agent keeps it small.
local kumo = require 'kumo'

local data = require 'data'

local mod = {}

mod.QUEUE = 'ping8.inbox'
mod.PATH = '/var/spool/kumomta/ping8/inbox'

function mod.is_address(recipient)
  local rules = data.read 'inbox'
  return rules.local_parts[recipient.user:lower()]
    or rules.addresses[recipient.email:lower()]
    or false
end

-- Durable when this returns: the copy is in the spool.
function mod.keep(msg)
  local copy = kumo.make_message(
    'postmaster@localhost',
    'inbox@' .. mod.QUEUE,
    msg:get_data()
  )
  copy:set_meta('queue', mod.QUEUE)
  kumo.inject_message(copy)
  -- Accepted, without further processing, not even as a report.
  msg:set_data 'Subject: kept in the inbox\r\n\r\n'
  msg:set_meta('queue', 'null')
end

return mod
