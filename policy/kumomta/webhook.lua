-- The sender of the webhook queue. Any answer of it but a 4xx code would drop
-- the event for good, so there is none but 451: events that PING8 refuses are
-- dead letters, and count as delivered.
local kumo = require 'kumo'

local delivery = require 'delivery'
local log_hook = require 'log_hook'

local mod = {}

local function event(message)
  return {
    id = message:get_meta(log_hook.EVENT_ID),
    time = message:get_meta(log_hook.EVENT_TIME),
    record = message:get_data(),
  }
end

local function deliver(client, messages)
  local ok, handled, answer = pcall(function()
    local batch = {}
    for i, message in ipairs(messages) do
      batch[i] = event(message)
    end
    return delivery.deliver(client, batch)
  end)
  if not ok then
    kumo.reject(451, delivery.first_line(handled))
  end
  if not handled then
    kumo.reject(451, answer)
  end
  return answer
end

-- One HTTP client for each sender object: a new one for each event would mean
-- a new connection and TLS handshake each time.
function mod.sender()
  local client = delivery.client()
  local sender = {}

  function sender:send(message)
    return deliver(client, { message })
  end

  function sender:send_batch(messages)
    return deliver(client, messages)
  end

  function sender:close()
    client:close()
  end

  return sender
end

return mod
