-- Stand-in for KumoMTA's helper of the same name: egress paths from shaping files.
local kumo = require 'kumo'
local mod = {}

local DEFAULT = '/opt/kumomta/share/policy-extras/shaping.toml'
-- What the stand-in takes; it has no traffic shaping automation to publish to.
local OPTIONS = { publish = true, subscribe = true, extra_files = true, no_default_files = true,
  additional_skip_log_record_types = true }

local function load(files)
  local data = kumo.shaping.load(files)
  for _, warning in ipairs(data:get_warnings()) do
    print(warning)
  end
  return data
end

function mod:setup_with_automation(options)
  for name in pairs(options) do
    if not OPTIONS[name] then
      error(("shaping:setup_with_automation: unknown option '%s'"):format(name))
    end
  end
  if mod.CONFIGURED then
    error 'shaping module has already been configured'
  end
  local files = options.no_default_files and {} or { DEFAULT }
  table.move(options.extra_files, 1, #options.extra_files, #files + 1, files)
  mod.CONFIGURED = files
  local cached = kumo.memoize(load, {
    name = 'shaping_data',
    ttl = '1 minute',
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
    setup_publish = function()
      kumo.log_warn 'the stand-in for kumod has no traffic shaping automation: nothing is published'
    end,
    get_egress_path_config = function(domain, source, site, skip_make)
      local params = cached(files):get_egress_path_config(domain, source, site)
      params.refresh_strategy = params.refresh_strategy or 'Epoch'
      return skip_make and params or kumo.make_egress_path(params)
    end,
  }
end

return mod
