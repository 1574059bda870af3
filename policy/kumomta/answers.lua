-- What an answer of PING8's endpoint means for an event. The host agent uses
-- the same rules (hostagent/events/webhook.py).
local kumo = require 'kumo'

local mod = {}

mod.DELIVERED = 'delivered'
-- PING8 is down, or rejects our token.
mod.RETRY = 'retry'
-- It is up and fails on what it was sent, perhaps because of one event.
mod.FAILING = 'failing'
-- PING8 will never take it: the event goes to the dead letters.
mod.REFUSED = 'refused'

-- Answers that depend on PING8's state, not on the event.
local RETRIED = {
  [401] = true, -- the token is being rotated
  [403] = true,
  [408] = true,
  [421] = true,
  [425] = true,
  [429] = true,
  [502] = true,
  [503] = true,
  [504] = true,
}

-- Whether the field of a body that should be JSON says failure: false, or the
-- text or details of an error. An unreadable body counts as failure.
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
      return mod.FAILING
    end
    return mod.DELIVERED
  end
  if status < 400 or RETRIED[status] then
    return mod.RETRY
  end
  return status >= 500 and mod.FAILING or mod.REFUSED
end

return mod
