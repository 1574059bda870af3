-- PING8's KumoMTA policy. Each line names a decision and the module that makes
-- it. The file runs again for every Lua context (300 s, 1,024 uses), so it only
-- registers handlers; what must happen once happens in `server`.
-- kumod searches KumoMTA's share folder first: a file that a later release
-- puts there must not replace one of our modules.
local own, others = {}, {}
for place in package.path:gmatch '[^;]+' do
  table.insert(place:find('/etc/policy/', 1, true) and own or others, place)
end
package.path = table.concat(table.move(others, 1, #others, #own + 1, own), ';')

local kumo = require 'kumo'

local data = require 'data'
local egress = require 'egress'
local log_hook = require 'log_hook'
local paths = require 'paths'
local queues = require 'queues'
local reception = require 'reception'
local reports = require 'reports'
local server = require 'server'
local transfer = require 'transfer'
local validation = require 'validation'
local webhook = require 'webhook'

local several = data.load('server').several_nodes
-- First of all: KumoMTA's helper answers for its queues of automation, and
-- `queues` for every other.
local path_config = paths.setup(data.load 'warm_up', several)

-- Starting.
kumo.on('pre_init', server.pre_init)
kumo.on('init', server.init)
kumo.on('validate_config', validation.run)

-- Mail in: campaigns by HTTP, reports (bounces and complaints) by SMTP.
kumo.on('http_message_generated', reception.receive)
kumo.on('get_listener_domain', reports.listener_domain)
kumo.on('smtp_server_message_received', reports.receive)

-- Mail out.
kumo.on('get_queue_config', queues.config)
kumo.on('get_egress_pool', egress.pool)
kumo.on('get_egress_source', egress.source)
kumo.on('get_egress_path_config', path_config)

-- Events to PING8.
kumo.on('should_enqueue_log_record', log_hook.should_enqueue)
kumo.on(queues.SENDER, webhook.sender)

-- From and to other nodes.
if several then
  kumo.on('get_acl_definition', transfer.access(several))
  kumo.on('xfer_message_received', transfer.receive)
  kumo.on('requeue_message', transfer.requeue)
end
