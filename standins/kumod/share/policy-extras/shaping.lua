-- Stand-in for KumoMTA's helper of the same name: egress paths from shaping files.
local kumo = require 'kumo'
local mod = {}

local DEFAULT = '/opt/kumomta/share/policy-extras/shaping.toml'

local OPTIONS = {
  publish = true, subscribe = true, extra_files = true, no_default_files = true,
  pre_filter = true, skip_log_record_types = true, additional_skip_log_record_types = true,
  tsa_queue_config = true, back_pressure = true, cache_ttl = true,
  load_validation_options = true, validation_options = true,
}

local function file_names(options)
  local files = {}
  if not options.no_default_files then
    files[1] = DEFAULT
  end
  for _, name in ipairs(options.extra_files or {}) do
    files[#files + 1] = name
  end
  return files
end

function mod:setup_with_automation(options)
  for name in pairs(options) do
    if not OPTIONS[name] then
      error(("shaping:setup_with_automation: unknown option '%s'"):format(name))
    end
  end
  if options.publish and #options.publish > 0 then
    error 'shaping: publish is not in this stand-in for kumod'
  end
  if mod.CONFIGURED then
    error 'shaping module has already been configured'
  end
  local files = file_names(options)
  mod.CONFIGURED = files
  local function load(names)
    local data = kumo.shaping.load(names)
    for _, warning in ipairs(data:get_warnings()) do
      print(warning)
    end
    return data
  end
  local cached = kumo.memoize(load, {
    name = 'shaping_data',
    ttl = options.cache_ttl or '1 minute',
    capacity = 4,
    invalidate_with_epoch = true,
  })
  kumo.on('validate_config', function()
    local ok, err = pcall(load, files)
    if not ok then
      kumo.validation_failed()
      print('Issues found in the combined set of shaping files: ' .. tostring(err))
    end
  end)
  return {
    get_egress_path_config = function(domain, source, site, skip_make)
      local params = cached(files):get_egress_path_config(domain, source, site)
      params.refresh_strategy = params.refresh_strategy or 'Epoch'
      if skip_make then
        return params
      end
      return kumo.make_egress_path(params)
    end,
    load_shaping_data = function()
      return cached(files)
    end,
  }
end

return mod
