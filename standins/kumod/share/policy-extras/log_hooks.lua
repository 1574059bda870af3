-- Stand-in for KumoMTA's helper of the same name: log hooks with a sender of their own.
local kumo = require 'kumo'
local mod = { CONFIGURED = {} }

local function merged(base, extra)
  for key, value in pairs(extra or {}) do
    base[key] = value
  end
  return base
end

function mod:new(options)
  local name = options.name
  if mod.CONFIGURED[name] then
    error(("log_hook with name '%s' has already been configured"):format(name))
  end
  mod.CONFIGURED[name] = options
  local domain = name .. '.log_hook'
  local constructor = 'make.' .. domain
  kumo.on('pre_init', function()
    kumo.configure_log_hook(merged({ name = name }, options.log_parameters))
  end)
  kumo.on('should_enqueue_log_record', function(msg, hook)
    if hook ~= name then
      return
    end
    if msg:get_meta('log_record').reception_protocol == 'LogRecord' then
      return false
    end
    msg:set_meta('queue', domain)
    return true
  end)
  local params = merged({ retry_interval = '1m', max_retry_interval = '20m' }, options.queue_config)
  params.protocol = { custom_lua = { constructor = constructor, batch_size = options.batch_size } }
  kumo.on('get_queue_config', function(queue_domain)
    if queue_domain == domain then
      return kumo.make_queue_config(params)
    end
  end)
  kumo.on(constructor, options.constructor)
end

-- As the original: any failure status drops the event.
function mod:new_json(options)
  local url = options.url
  options.url = nil
  options.constructor = function()
    local connection = {}
    local client = kumo.http.build_client {}
    local function post(body)
      local response =
        client:post(url):header('Content-Type', 'application/json'):body(body):send()
      local text = ('%d %s: %s'):format(
        response:status_code(),
        response:status_reason(),
        response:text()
      )
      if response:status_is_success() then
        return text
      end
      kumo.reject(500, text)
    end
    function connection:send(message)
      return post(message:get_data())
    end
    function connection:send_batch(messages)
      local records = {}
      for _, message in ipairs(messages) do
        records[#records + 1] = message:get_meta 'log_record'
      end
      return post(kumo.serde.json_encode(records))
    end
    function connection:close()
      client:close()
    end
    return connection
  end
  return self:new(options)
end

return mod
