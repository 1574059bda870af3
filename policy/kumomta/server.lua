-- What happens once, when kumod starts. Each Lua context runs the policy's top
-- level again: a second definition of a spool or log hook there would stop the
-- server.
local kumo = require 'kumo'

local correlation = require 'correlation'
local data = require 'data'
local egress = require 'egress'
local log_hook = require 'log_hook'
local outbox_log = require 'outbox_log'
local paths = require 'paths'
local shared_limits = require 'shared_limits'
local transfer = require 'transfer'

local mod = {}

local SPOOLS = '/var/spool/kumomta/'
local LOGS = '/var/log/kumomta'

-- Signers and keys are cached; the default of 1,024 would evict and read keys
-- again when there are more.
local SMALLEST_CACHE = 1024

-- Each pool is there once for each place in it: `egress`.
local LARGEST_POOLS = 4096

function mod.pre_init()
  local server = data.load 'server'
  local capacity = math.max(SMALLEST_CACHE, 2 * server.signers)
  kumo.set_lruttl_cache_capacity('dkim_signer_cache', capacity)
  kumo.set_lruttl_cache_capacity('dkim_key_cache', capacity)
  kumo.set_lruttl_cache_capacity('egress_source_pools', LARGEST_POOLS)
  kumo.dkim.set_signing_threads(kumo.available_parallelism())
  if server.transport == 'log-hook' then
    log_hook.configure(server.disabled_records)
  end
end

local function check_environment()
  local problems = egress.environment_problems()
  if #problems > 0 then
    error(table.concat(problems, '; '), 0)
  end
end

local function define_spools()
  for _, name in ipairs { 'data', 'meta' } do
    kumo.define_spool { name = name, path = SPOOLS .. name, kind = 'RocksDB' }
  end
end

-- The local logs are the reference after a crash, so they know the correlation
-- values too.
local function configure_logs(server)
  local fields = correlation.EVENT_FIELDS
  local names = table.move(fields, 1, #fields, 1, {})
  table.insert(names, correlation.MISSING)
  kumo.configure_local_logs {
    log_dir = LOGS,
    max_segment_duration = '1 minute',
    meta = names,
    -- A full ready queue would fill the volume with them.
    per_record = { Delayed = { enable = server.log_delayed } },
  }
  if server.transport == 'outbox' then
    outbox_log.configure(server.disabled_records)
  end
  -- The first rule that fits decides, and IANA's fit every code.
  local rules = { data.path 'bounces.toml' }
  if server.community_bounces then
    table.insert(rules, '/opt/kumomta/share/community/bounces.toml')
  end
  table.insert(rules, '/opt/kumomta/share/bounce_classifier/iana.toml')
  kumo.configure_bounce_classifier { files = rules }
end

local function start_listeners(server)
  kumo.start_http_listener {
    listen = '127.0.0.1:8000',
    trusted_hosts = { '127.0.0.1', '::1' },
    request_body_limit = server.request_body_limit,
  }
  if server.takes_reports then
    kumo.start_esmtp_listener {
      listen = '0.0.0.0:25',
      hostname = server.hostname,
      -- Nobody may relay, this host neither: no host has this address. kumod
      -- would take an empty table for a map, and refuse to start.
      relay_hosts = { '255.255.255.255' },
      -- Servers return whole messages, however their lines end and how long
      -- they are.
      max_message_size = server.report_size_limit,
      invalid_line_endings = 'Fix',
      line_length_hard_limit = 1024 * 1024,
      max_recipients_per_message = 10,
      max_messages_per_connection = server.messages_per_session,
      trace_headers = { received_header = true, supplemental_header = false },
    }
  end
end

-- From 2026.09.22 on the path setting in shaping.toml no longer stops the
-- look-up; before, it did, and there was no such function.
local function ask_for_mta_sts(server)
  if kumo.dns.set_mta_sts_enabled then
    kumo.dns.set_mta_sts_enabled(server.mta_sts)
  end
end

function mod.init()
  local server = data.load 'server'
  check_environment()
  -- Nothing else here is read again; to walk 100,000 folders of keys takes long.
  kumo.set_config_monitor_globs { '/opt/kumomta/etc/policy/**/*.{lua,json,toml}' }
  ask_for_mta_sts(server)
  if server.several_nodes then
    shared_limits.configure(server.several_nodes.shared_limits)
  end
  define_spools()
  configure_logs(server)
  paths.publish()
  start_listeners(server)
  if server.several_nodes then
    transfer.listen(server.several_nodes.transfer)
  end
end

return mod
