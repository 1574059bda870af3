-- Retry, expiry and pool of each queue. The tenant of a message is its brand.
local kumo = require 'kumo'

local data = require 'data'
local egress = require 'egress'
local inbox = require 'inbox'

local mod = {}

mod.WEBHOOK = 'ping8.log-hook'
mod.SENDER = 'ping8_webhook_sender'

-- Mail of a sender domain that is not ours, when the settings accept it, and
-- mail in the queues of a brand that was removed.
local DEFAULT = {
  retry_interval = '5m',
  max_retry_interval = '24h',
  max_age = '7d',
}

-- kumod expires messages without asking, so an event must never get near this age:
-- `delivery` puts old ones into the dead letters long before.
local NEVER = '3650d'

local function webhook_queue()
  local webhook = data.read 'webhook'
  local sender = { constructor = mod.SENDER }
  if webhook.batch_size > 1 then
    -- The size alone makes batches of what is there, which is one or two; the
    -- latency sends what is less after a second.
    sender.batch_size = webhook.batch_size
    sender.min_batch_size = webhook.batch_size
    sender.max_batch_latency = '1s'
  end
  return kumo.make_queue_config {
    protocol = { custom_lua = sender },
    retry_interval = webhook.retry_interval .. 's',
    max_retry_interval = webhook.max_retry_interval .. 's',
    max_age = NEVER,
  }
end

-- Records for a tsa-daemon.
function mod.is_automation(domain)
  return domain:match '%.tsa%.kumomta$' ~= nil
end

function mod.make(domain, tenant)
  if domain == mod.WEBHOOK then
    return webhook_queue()
  end
  if domain == inbox.QUEUE then
    return kumo.make_queue_config {
      protocol = { maildir_path = inbox.PATH },
      retry_interval = DEFAULT.retry_interval,
      max_age = DEFAULT.max_age,
    }
  end
  if mod.is_automation(domain) then
    -- For a tsa-daemon that is gone: KumoMTA's helper answers for the others.
    return kumo.make_queue_config { max_age = '1s' }
  end
  local brand = tenant and data.read('brands')[tenant] or DEFAULT
  local pool = brand.pool or data.read('egress').default_pool
  return kumo.make_queue_config {
    egress_pool = egress.pool_of_queue(pool, domain, tenant),
    retry_interval = brand.retry_interval,
    max_retry_interval = brand.max_retry_interval,
    max_age = brand.max_age,
  }
end

-- Never an error, as in `egress`: mail without settings waits in a pool that
-- does not exist, and events are still sent.
function mod.config(domain, tenant)
  local ok, result = pcall(mod.make, domain, tenant)
  if ok then
    return result
  end
  kumo.log_error(string.format('queue %s: %s', domain, tostring(result)))
  if domain == mod.WEBHOOK then
    return kumo.make_queue_config {
      protocol = { custom_lua = { constructor = mod.SENDER } },
      retry_interval = '1m',
      max_retry_interval = '20m',
      max_age = NEVER,
    }
  end
  return kumo.make_queue_config {
    egress_pool = 'without-settings',
    retry_interval = DEFAULT.retry_interval,
    max_retry_interval = DEFAULT.max_retry_interval,
    max_age = DEFAULT.max_age,
  }
end

return mod
