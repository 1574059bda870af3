--[[ KumoProxy: SOCKS5 for kumod alone, on the private address; metrics on loopback.
Which destinations it may reach is the security group's matter: it has no rules of its own. ]]
local kumo = require 'kumo'
local proxy = require 'proxy'

local function required(name)
  local value = os.getenv(name)
  if value == nil or value == '' then
    error(name .. ' is not set; /etc/default/kumoproxy sets it', 0)
  end
  return value
end

local listen = required 'KUMOPROXY_LISTEN'
local require_auth = os.getenv 'KUMOPROXY_PASSWORD' ~= nil

kumo.on('proxy_init', function()
  proxy.start_proxy_listener {
    listen = listen,
    timeout = '60 seconds',
    require_auth = require_auth,
  }
  proxy.start_http_listener {
    listen = '127.0.0.1:8001',
    trusted_hosts = { '127.0.0.1', '::1' },
  }
end)

if require_auth then
  local expected_user = required 'KUMOPROXY_USERNAME'
  local expected_password = required 'KUMOPROXY_PASSWORD'
  kumo.on('proxy_server_auth_rfc1929', function(username, password)
    return username == expected_user and password == expected_password
  end)
end
