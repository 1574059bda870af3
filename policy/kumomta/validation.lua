-- `kumod --validate` runs no handler: a pool without its source or a missing
-- key would pass, and fail at the first message. So every decision of the
-- policy is called here, and each that fails is named.
local kumo = require 'kumo'

local data = require 'data'
local egress = require 'egress'
local paths = require 'paths'
local queues = require 'queues'
local reports = require 'reports'
local signing = require 'signing'
local webhook = require 'webhook'

local mod = {}

local failed

local function fail(what, why)
  failed = true
  print(string.format('ping8: %s: %s', what, tostring(why):match '^[^\n]*'))
end

local function try(what, decision, ...)
  local ok, result = pcall(decision, ...)
  if not ok then
    fail(what, result)
  end
  return ok and result
end

local function expect(condition, what, why)
  if not condition then
    fail(what, why)
  end
end

local function check_egress(sources, pools)
  for name in pairs(sources) do
    try('egress source ' .. name, egress.make_source, name)
    try(
      'egress path of source ' .. name,
      kumo.invoke_get_egress_path_config,
      'example.com',
      name,
      'example.com'
    )
  end
  for name, entries in pairs(pools) do
    try('egress pool ' .. name, egress.make_pool, name)
    expect(#entries > 0, 'egress pool ' .. name, 'has no source')
    for _, source in ipairs(entries) do
      expect(
        sources[source],
        'egress pool ' .. name,
        string.format('names source %s, which does not exist', source)
      )
    end
  end
end

local function check_brands(brands, pools)
  for name, brand in pairs(brands) do
    expect(
      pools[brand.pool],
      'brand ' .. name,
      string.format('names pool %s, which does not exist', brand.pool)
    )
    try('queue of brand ' .. name, queues.make, 'example.com', name)
  end
  try('queue without brand', queues.make, 'example.com')
end

local function check_keys(what, owner, keys)
  expect(#keys > 0, what, 'has no key')
  for _, key in ipairs(keys) do
    try(
      string.format('DKIM key %s of %s', key.selector, owner),
      signing.signer,
      'example.com',
      owner,
      key
    )
  end
end

local function check_domains(brands, listeners)
  local by_brand = {}
  data.each_sender_domain(function(name, domain)
    expect(
      brands[domain.brand],
      'sender domain ' .. name,
      string.format('names brand %s, which does not exist', domain.brand)
    )
    expect(
      not domain.bounce or listeners[domain.bounce],
      'sender domain ' .. name,
      string.format('its bounces to %s would be refused', domain.bounce)
    )
    if domain.signers then
      check_keys('sender domain ' .. name, name, domain.signers)
    else
      by_brand[domain.brand] = brands[domain.brand]
    end
  end)
  for name, brand in pairs(by_brand) do
    check_keys('brand ' .. name, name, brand.signers)
  end
end

local function check_listeners(listeners)
  for name in pairs(listeners) do
    try('listener domain ' .. name, reports.listener_domain, name)
  end
end

local function check_warm_up(warm_up, sources)
  for name, schedule in pairs(warm_up.sources) do
    expect(sources[name], 'warm-up of ' .. name, 'there is no such source')
    try('warm-up of ' .. name, paths.messages_today, schedule)
  end
end

local function check_webhook()
  try('webhook queue', queues.make, queues.WEBHOOK)
  try(
    'path of the webhook queue',
    kumo.invoke_get_egress_path_config,
    queues.WEBHOOK,
    'unspecified',
    queues.WEBHOOK
  )
  local sender = try('webhook sender', webhook.sender)
  if sender then
    try('webhook sender', sender.close, sender)
  end
end

function mod.run()
  failed = false
  local sources = data.load 'sources'
  local pools = data.load('egress').pools
  local brands = data.load 'brands'
  local listeners = data.load 'listener_domains'
  for _, problem in ipairs(egress.environment_problems()) do
    fail('environment', problem)
  end
  check_egress(sources, pools)
  check_brands(brands, pools)
  check_domains(brands, listeners)
  check_listeners(listeners)
  check_warm_up(data.load 'warm_up', sources)
  check_webhook()
  if failed then
    kumo.validation_failed()
  end
end

return mod
