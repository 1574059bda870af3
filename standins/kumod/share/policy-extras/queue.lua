-- Stand-in for KumoMTA's helper of the same name: tenants and queues from data files.
local kumo = require 'kumo'
local data_files = require 'policy-extras.data_files'
local mod = {}

local function take(into, from)
  for key, value in pairs(from or {}) do
    if key == 'protocol' or type(value) ~= 'table' then
      if key ~= 'require_authz' then
        into[key] = value
      end
    end
  end
end

local function resolve(data, domain, tenant, campaign)
  local queues = data.queue or {}
  local params = {}
  take(params, queues.default)
  local by_domain = queues[domain]
  take(params, by_domain)
  take(params, tenant and (data.tenant or {})[tenant])
  local by_tenant = by_domain and tenant and by_domain[tenant]
  take(params, by_tenant)
  take(params, by_tenant and campaign and by_tenant[campaign])
  if next(params) then
    return params
  end
end

local function header(msg, name, remove)
  local value = name and msg:get_first_named_header_value(name)
  if value and remove then
    msg:remove_all_named_headers(name)
  end
  return value
end

function mod:setup(files)
  return self:setup_with_options { file_names = files }
end

function mod:setup_with_options(options)
  local files = options.file_names
  local cached = kumo.memoize(data_files.load_all, {
    name = 'queue_helper_data',
    ttl = '1 minute',
    capacity = 10,
    invalidate_with_epoch = true,
  })
  local helper = { file_names = files }

  function helper:resolve_config(domain, tenant, campaign)
    return resolve(cached(files), domain, tenant, campaign)
  end

  function helper:apply(msg)
    local data = cached(files)
    local campaign = header(msg, data.campaign_header, data.remove_campaign_header)
    if campaign then
      msg:set_meta('campaign', campaign)
    end
    local tenant = header(msg, data.tenant_header, data.remove_tenant_header)
      or data.default_tenant
    if tenant then
      if not (data.tenant or {})[tenant] then
        kumo.reject(500, ("tenant '%s' is not defined in your queue config"):format(tenant))
      end
      msg:set_meta('tenant', tenant)
    end
  end

  if not options.skip_queue_config_hook then
    kumo.on('get_queue_config', function(domain, tenant, campaign)
      local params = helper:resolve_config(domain, tenant, campaign)
      if params then
        return kumo.make_queue_config(params)
      end
    end)
  end
  data_files.on_validate('queue', files, function()
    for _, file in ipairs(files) do
      if type(file) == 'string' and not file:match '^/opt/kumomta/etc/' then
        error(file .. ' is not covered by the config monitor globs')
      end
    end
    local data = data_files.load_all(files)
    local seen = {}
    take(seen, (data.queue or {}).default)
    kumo.make_queue_config(seen)
    for name in pairs(data.tenant or {}) do
      kumo.make_queue_config(resolve(data, 'example.com', name) or {})
    end
    if not package.loaded['policy-extras.sources'] then
      error 'the queue helper needs the sources helper to be loaded'
    end
  end)
  return helper
end

return mod
