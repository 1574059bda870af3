-- Sender domains and the domains that take their bounces. The data names what
-- does not follow from a sender domain: 100,000 of them are read in a moment.
local data = require 'data'

local mod = {}

-- The envelope sender domain of a sender domain.
function mod.bounce(domain, known)
  return known.bounce or 'bounce.' .. domain
end

-- Whether bounces and abuse reports are taken for it.
function mod.takes_reports(domain)
  if data.read('listener_domains')[domain] then
    return true
  end
  local sender = domain:match '^bounce%.(.+)$'
  local known = sender and data.sender_domain(sender)
  return known ~= nil and known.bounce == nil
end

return mod
