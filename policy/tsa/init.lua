--[[ Traffic Shaping Automation: tsa-daemon gets the log records that match a rule of the shaping
files, and decides what every kumod suspends or slows down. It reads the same data as the policy, so
that both know the same rules. ]]
local kumo = require 'kumo'
local tsa = require 'tsa'

local DATA = '/opt/kumomta/etc/policy/data/'

local function load(name)
  return kumo.json_load(DATA .. name .. '.json')
end

kumo.on('tsa_init', function()
  local automation = load 'automation'
  kumo.set_config_monitor_globs { DATA .. '*.{json,toml}' }
  -- Before the listener, which opens it.
  tsa.configure_tsa_db_path '/var/lib/tsa-daemon/tsa.db'
  for _, address in ipairs(automation.listen) do
    tsa.start_http_listener {
      listen = address,
      trusted_hosts = automation.trusted_hosts,
    }
  end
end)

local shaping = kumo.memoize(kumo.shaping.load, {
  name = 'ping8_shaping',
  ttl = '5 minutes',
  capacity = 2,
  invalidate_with_epoch = true,
})

kumo.on('tsa_load_shaping_data', function()
  return shaping(load('warm_up').files)
end)
