-- Stand-in for KumoMTA's helper of the same name: egress paths from shaping files.
local kumo = require 'kumo'
local mod = {}

local DEFAULT = '/opt/kumomta/share/policy-extras/shaping.toml'

function mod:setup(extra_files)
  return self:setup_with_automation({ extra_files = extra_files }).get_egress_path_config
end

local function publisher(endpoint)
  return function()
    local connection = {}
    local client = kumo.http.build_client {}
    function connection:send(message)
      local response = client
        :post(endpoint .. '/publish_log_v1')
        :header('Content-Type', 'application/json')
        :body(message:get_data())
        :send()
      local text = ('%d %s'):format(response:status_code(), response:status_reason())
      if response:status_is_success() then
        return text
      end
      kumo.reject(400, text)
    end
    function connection:close()
      client:close()
    end
    return connection
  end
end

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

local function register_publishers(options)
  local hooks = {}
  for _, endpoint in ipairs(options.publish or {}) do
    local hook = endpoint .. '.tsa.kumomta'
    hooks[hook] = 'make.' .. hook
    kumo.on(hooks[hook], publisher(endpoint))
  end
  kumo.on('get_queue_config', function(domain)
    if hooks[domain] then
      return kumo.make_queue_config { protocol = { custom_lua = { constructor = hooks[domain] } } }
    end
  end)
  kumo.on('should_enqueue_log_record', function(msg, hook)
    if hooks[hook] then
      if msg:get_meta('log_record').reception_protocol == 'LogRecord' then
        return false
      end
      msg:set_meta('queue', hook)
      return true
    end
  end)
  return hooks
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
  local hooks = register_publishers(options)
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
    setup_publish = function()
      for hook in pairs(hooks) do
        kumo.configure_log_hook { name = hook, per_record = { Reception = { enable = false } } }
      end
    end,
    load_shaping_data = function()
      return cached(files)
    end,
  }
end

return mod
