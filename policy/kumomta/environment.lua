-- The variables of /etc/default/kumomta. A missing or malformed one stops the
-- policy with one line that names it; a secret's value is never shown.
local addresses = require 'addresses'

local FILE = '/etc/default/kumomta'

local function is_token(text)
  return #text >= 16 and text:match '^[!-~]+$' ~= nil
end

-- Plain HTTP is only for a receiver on this host, in trials.
local function is_url(text)
  return text:match '^https://[%w%[][^%s%c"\'\\]*$' ~= nil
    or text:match '^http://127%.0%.0%.1:%d+/[^%s%c"\'\\]*$' ~= nil
end

local function is_host_name(text)
  return #text <= 253
    and text:match '^[%w][%w.-]*[%w]$' ~= nil
    and text:match '%.%.' == nil
    and text:match '%a' ~= nil
end

local function is_proxy_host(text)
  return addresses.is_private(text) or is_host_name(text)
end

local function is_port(text)
  local port = text:match '^%d+$' and tonumber(text)
  return port and port >= 1 and port <= 65535
end

local VARIABLES = {
  {
    field = 'webhook_token',
    name = 'PING8_WEBHOOK_TOKEN',
    check = is_token,
    must = 'must be 16 or more printable characters without spaces',
    secret = true,
  },
  {
    field = 'trace_key',
    name = 'PING8_TRACE_KEY',
    check = is_token,
    must = 'must be 16 or more printable characters without spaces',
    secret = true,
  },
  {
    field = 'webhook_url',
    name = 'PING8_WEBHOOK_URL',
    check = is_url,
    must = 'must be an https:// URL',
  },
  {
    field = 'proxy_host',
    name = 'KUMOPROXY_HOST',
    check = is_proxy_host,
    must = 'must be the private address of the proxy, or a name of it: '
      .. 'a public address would leave the network',
  },
  {
    field = 'proxy_port',
    name = 'KUMOPROXY_PORT',
    check = is_port,
    must = 'must be a port number',
    default = '5000',
  },
  {
    field = 'public_ip',
    name = 'KUMOPROXY_PUBLIC_IP',
    check = addresses.is_ipv4,
    must = 'must be the IPv4 address that recipients see',
  },
  {
    field = 'helo',
    name = 'KUMOPROXY_HELO',
    check = is_host_name,
    must = 'must be the EHLO name of outbound sessions',
  },
}

local function refuse(variable, what)
  error(string.format('%s %s (in %s)', variable.name, what, FILE), 0)
end

local function value_of(variable)
  local value = os.getenv(variable.name)
  if value == nil or value == '' then
    value = variable.default
  end
  if value == nil then
    refuse(variable, 'is not set')
  end
  if not variable.check(value) then
    local shown = variable.secret and '' or string.format(', not %q', value)
    refuse(variable, variable.must .. shown)
  end
  return value
end

local mod = {}
for _, variable in ipairs(VARIABLES) do
  mod[variable.field] = value_of(variable)
end

-- Only proxies that ask for a password (RFC 1929) need it; `egress` refuses
-- such a source if it is missing.
mod.proxy_password = os.getenv 'KUMOPROXY_PASSWORD'

-- Only several nodes share limits.
mod.limits_password = os.getenv 'PING8_LIMITS_PASSWORD' or ''

return mod
