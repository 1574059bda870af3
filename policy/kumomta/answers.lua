-- What an answer of PING8's endpoint means for an event.
local kumo = require 'kumo'

local mod = {}

mod.DELIVERED = 'delivered'
mod.RETRY = 'retry'
-- PING8 will never take it: the event goes to the dead letters.
mod.REFUSED = 'refused'

-- Of the statuses below 500 that are no success, those that a change on the
-- other side can cure; every other one is final.
local RETRIED = {
  [401] = true, -- the token is being rotated
  [403] = true,
  [408] = true,
  [421] = true,
  [425] = true,
  [429] = true,
}

-- Whether the field of a body that should be JSON says failure: false, or the
-- text or details of an error. A body that cannot be read does not say yes.
local function says_failure(body, field)
  local ok, content = pcall(kumo.json_parse, body)
  if not ok or type(content) ~= 'table' then
    return true
  end
  local value = content[field]
  return value == false
    or (type(value) == 'string' and value ~= '')
    or (type(value) == 'table' and next(value) ~= nil)
end

function mod.classify(status, body, failure_field)
  if status >= 200 and status < 300 then
    if failure_field and says_failure(body, failure_field) then
      return mod.RETRY
    end
    return mod.DELIVERED
  end
  if RETRIED[status] or status >= 500 then
    return mod.RETRY
  end
  return mod.REFUSED
end

return mod
