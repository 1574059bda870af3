-- Stand-in for KumoMTA's helper of the same name: what to do with mail for a domain.
local kumo = require 'kumo'
local data_files = require 'policy-extras.data_files'
local mod = {}

local function load(files)
  local data = data_files.load_all(files)
  local by_listener = { ['*'] = {} }
  for listener, domains in pairs(data.listener or {}) do
    by_listener[listener] = domains
  end
  data.listener = nil
  data_files.merge(by_listener['*'], data)
  local compiled = {}
  for listener, domains in pairs(by_listener) do
    compiled[listener] = kumo.domain_map.new(domains)
  end
  return compiled
end

local function find(by_listener, listener, domain)
  local map = by_listener[listener]
  return map and map[domain]
end

function mod:setup(files)
  if mod.CONFIGURED then
    error 'listener_domains module has already been configured'
  end
  mod.CONFIGURED = { data_files = files }
  local cached = kumo.memoize(load, {
    name = 'listener_domains_data',
    ttl = '5 minutes',
    capacity = 10,
    invalidate_with_epoch = true,
  })
  data_files.on_validate('listener_domain', files, function()
    for _, map in pairs(load(files)) do
      for _, params in pairs(map) do
        kumo.make_listener_domain(params)
      end
    end
  end)
  return function(domain, listener)
    local by_listener = cached(files)
    local params = find(by_listener, listener, domain)
      or find(by_listener, '*', domain)
      or find(by_listener, '*', '*')
    if params then
      return kumo.make_listener_domain(params)
    end
  end
end

return mod
