-- The data files of the policy. They differ between environments; the Lua
-- does not. kumod notices a change within 10 seconds and bumps its
-- configuration epoch, which invalidates what is memoized here.
local kumo = require 'kumo'

local mod = {}

local DIRECTORY = '/opt/kumomta/etc/policy/data/'

-- Reads a file without a cache, for start and validation.
function mod.load(name)
  return kumo.json_load(DIRECTORY .. name .. '.json')
end

-- Reads a file through a cache. The result is shared: never change it, and
-- never iterate over it if many sender domains could make that slow.
mod.read = kumo.memoize(mod.load, {
  name = 'ping8_data',
  ttl = '1 hour',
  -- As many as are read: what an older epoch read goes when the new one is.
  capacity = 10,
  invalidate_with_epoch = true,
})

function mod.path(file)
  return DIRECTORY .. file
end

return mod
