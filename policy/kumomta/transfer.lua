-- Messages that move between nodes with KumoMTA's own transfer: the listener
-- that takes them, who may use it, the id that joins their events, and what is not
-- taken. Only for an environment with several nodes.
local kumo = require 'kumo'

local data = require 'data'

local mod = {}

-- The id that kumod gave a message when it was injected: a transferred one has
-- a new id at each node.
mod.FIRST_ID = 'first_id'

local SUFFIX = '.xfer.kumomta.internal'
local INJECT = '/api/xfer/inject/v1'
local METHODS = { 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS' }

function mod.is_queue(name)
  return type(name) == 'string' and name:sub(-#SUFFIX) == SUFFIX
end

-- The path of a transfer queue: as fast as the other node takes it, without
-- the limits for mailbox providers.
function mod.path()
  return {
    connection_limit = 'local:16',
    max_deliveries_per_connection = 10000,
    max_ready = 8192,
    system_shutdown_timeout = '240s',
  }
end

-- For init, once. No address is trusted here: kumod would let it administer.
function mod.listen(listener)
  kumo.start_http_listener {
    listen = listener.address,
    trusted_hosts = { '255.255.255.255' },
    request_body_limit = listener.request_body_limit,
  }
end

local function list(methods, identity, access)
  local rules = {}
  for _, method in ipairs(methods) do
    table.insert(rules, {
      criteria = { Identity = identity },
      privilege = method,
      access = access,
    })
  end
  return kumo.aaa.make_access_control_list(rules)
end

-- The other nodes: kumod would take a transfer from itself to itself. Read
-- without the cache, whose tables kumod does not take here; it keeps the answer.
local function others(own)
  local found = {}
  for _, address in ipairs(data.load('nodes').addresses) do
    if address ~= own then
      table.insert(found, address)
    end
  end
  return found
end

-- Returns the handler of kumod's questions about access to a resource; it asks
-- about a path and its parents at one listener, then at all, and takes the first
-- rule that fits. So everything at ours but one path is denied, kumod's open
-- pages too. The handler must not fail: kumod would answer 500 to everybody.
function mod.access(several)
  local resource = 'http_listener/' .. several.transfer.address
  return function(name)
    if name == resource .. INJECT then
      return list({ 'POST' }, { MachineSet = others(several.address) }, 'Allow')
    end
    if name == resource then
      return list(METHODS, 'Any', 'Deny')
    end
  end
end

-- Runs before the message is saved: an error would leave it at the node that
-- sends it, which tries again.
function mod.receive(msg)
  if not msg:get_meta(mod.FIRST_ID) then
    msg:set_meta(mod.FIRST_ID, msg:get_meta 'xfer_prior_id')
  end
end

-- What another node did not take returns to its queue, due when it was. In the
-- transfer queue kumod would wait twice as long for each attempt that the
-- message has had, and expire it if that is more than a week: an event after
-- five hours without PING8.
function mod.requeue(msg, _, _, is_attempt)
  if not (is_attempt and mod.is_queue(msg:queue_name())) then
    return
  end
  local before = msg:get_meta 'xfer_queue_info'
  kumo.xfer.cancel_xfer(msg)
  if before.due then
    -- kumod makes a message due at once when its queue changes.
    local schedule = before.schedule or {}
    schedule.first_attempt = before.due
    msg:set_scheduling(schedule)
  end
end

return mod
