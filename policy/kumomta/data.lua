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
  capacity = 9,
  invalidate_with_epoch = true,
})

-- The sender domains are in 16 files, so that the first message after a change
-- waits for one of them and not for 100,000 lines.
local read_sender_domains = kumo.memoize(mod.load, {
  name = 'ping8_sender_domains',
  ttl = '1 hour',
  capacity = 16,
  invalidate_with_epoch = true,
})

-- What the data says of a sender domain: its brand, if nothing else differs.
local function sender_domain(content, domain)
  local known = content[domain]
  return type(known) == 'string' and { brand = known } or known
end

function mod.sender_domain(domain)
  local file = kumo.digest.crc32(domain).hex:sub(1, 1)
  return sender_domain(read_sender_domains('sender_domains/' .. file), domain)
end

-- All of them, for validation.
function mod.each_sender_domain(act)
  for digit = 0, 15 do
    local content = mod.load(string.format('sender_domains/%x', digit))
    for domain in pairs(content) do
      act(domain, sender_domain(content, domain))
    end
  end
end

function mod.path(file)
  return DIRECTORY .. file
end

return mod
