-- The transport for volume: reads the outbox and posts it. A systemd service
-- runs it, as user kumod with the variables of /etc/default/kumomta:
--
--   kumod --script --policy /opt/kumomta/etc/policy/outbox.lua --user kumod
--
-- The checkpoint moves only after PING8 took a batch, so a crash repeats
-- events but loses none.
local kumo = require 'kumo'

local data = require 'data'
local delivery = require 'delivery'
local events = require 'events'
local outbox_log = require 'outbox_log'

local LEAST_READ = 200

local function wanted(lines)
  local list = {}
  for line in lines do
    if events.is_wanted(line) then
      table.insert(list, {
        id = events.id(line),
        time = events.time(line),
        record = line.record,
      })
    end
  end
  return list
end

local function wait_before_retry(failures)
  local webhook = data.read 'webhook'
  local longest = webhook.max_retry_interval
  -- Doubling more often than this only overflows.
  local doubled = webhook.retry_interval * 2 ^ math.min(failures - 1, 20)
  kumo.time.sleep(math.min(doubled, longest))
end

-- Returns only when every event of the batch is handled.
local function deliver(client, batch)
  local failures = 0
  while true do
    local ok, handled, answer = pcall(delivery.deliver, client, batch)
    if ok and handled then
      return
    end
    failures = failures + 1
    kumo.log_warn(
      string.format(
        '%d events wait for PING8 after %d attempts: %s',
        #batch,
        failures,
        ok and answer or delivery.first_line(handled)
      )
    )
    wait_before_retry(failures)
  end
end

local function deliver_all(client, list)
  local size = data.read('webhook').batch_size
  for first = 1, #list, size do
    local last = math.min(first + size - 1, #list)
    deliver(client, table.move(list, first, last, 1, {}))
  end
end

local function file_name(path)
  return path:match '[^/]*$'
end

-- Deletes the segments before the one that the checkpoint stands in; they are
-- named by the time that they begin.
local function prune()
  local checkpoint =
    string.format('%s/.%s', outbox_log.DIRECTORY, outbox_log.CHECKPOINT)
  local current = file_name(kumo.json_load(checkpoint).file)
  for _, path in ipairs(kumo.fs.read_dir(outbox_log.DIRECTORY)) do
    local name = file_name(path)
    if name:match '^%d+%-%d+' and name < current then
      os.remove(path)
    end
  end
end

kumo.on('main', function()
  local client = delivery.client()
  local tailer = kumo.jsonl.new_tailer {
    directory = outbox_log.DIRECTORY,
    max_batch_size = math.max(LEAST_READ, data.read('webhook').batch_size),
    checkpoint_name = outbox_log.CHECKPOINT,
  }
  for batch in tailer:batches() do
    deliver_all(client, wanted(batch:iter_records()))
    batch:commit()
    prune()
  end
  tailer:close()
end)
