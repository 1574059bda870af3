-- Stand-in for KumoMTA's helper of the same name: egress sources and pools from data files.
local kumo = require 'kumo'
local data_files = require 'policy-extras.data_files'
local mod = {}

local function load(files)
  local data = data_files.load_all(files)
  local pools = {}
  for name, entries in pairs(data.pool or {}) do
    local list = {}
    for source, params in pairs(entries) do
      if type(params) == 'table' then
        list[#list + 1] = { name = source, weight = params.weight }
      end
    end
    table.sort(list, function(a, b)
      return a.name < b.name
    end)
    pools[name] = { name = name, entries = list }
  end
  local sources = {}
  for name, params in pairs(data.source or {}) do
    params.name = name
    sources[name] = params
  end
  return { sources = sources, pools = pools }
end

function mod:setup(files)
  if mod.CONFIGURED then
    error 'sources module has already been configured'
  end
  mod.CONFIGURED = { data_files = files }
  local cached = kumo.memoize(load, {
    name = 'sources_data',
    ttl = '1 minute',
    capacity = 10,
    invalidate_with_epoch = true,
  })
  kumo.on('get_egress_source', function(name)
    local params = cached(files).sources[name]
    if params then
      return kumo.make_egress_source(params)
    end
  end)
  kumo.on('get_egress_pool', function(name)
    local params = cached(files).pools[name]
    if params then
      return kumo.make_egress_pool(params)
    end
  end)
  data_files.on_validate('sources', files, function()
    local data = load(files)
    for _, params in pairs(data.sources) do
      kumo.make_egress_source(params)
    end
    for name, params in pairs(data.pools) do
      kumo.make_egress_pool(params)
      for _, entry in ipairs(params.entries) do
        if not data.sources[entry.name] then
          error(("pool '%s' references undefined source '%s'"):format(name, entry.name))
        end
      end
    end
  end)
end

return mod
