-- Events that PING8 refused permanently or that got too old, with the answer.
-- `ping8 events` lists and replays them. SQLite has committed to disk when
-- `execute` returns.
local kumo = require 'kumo'
local sqlite = require 'sqlite'

local mod = {}

local PATH = '/var/spool/kumomta/ping8/dead-letters.sqlite'
local BUSY_MILLISECONDS = 5000

local SCHEMA = [[
CREATE TABLE IF NOT EXISTS dead_letters (
  event_id TEXT PRIMARY KEY,
  buried INTEGER NOT NULL,
  answer TEXT NOT NULL,
  record TEXT NOT NULL
)]]

-- Single events on which PING8 fails: `ping8-outbox.service` retries them.
local WAITING = [[
CREATE TABLE IF NOT EXISTS waiting (
  event_id TEXT PRIMARY KEY,
  due INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  answer TEXT NOT NULL,
  record TEXT NOT NULL
)]]

local function open()
  local db = sqlite.open(PATH, BUSY_MILLISECONDS)
  db:execute(SCHEMA)
  return db
end

-- Raises an error if the event could not be written: then it must not count as
-- handled.
function mod.bury(event, answer)
  open():execute(
    'INSERT OR REPLACE INTO dead_letters (event_id, buried, answer, record) '
      .. 'VALUES (?, ?, ?, ?)',
    event.id,
    kumo.time.now().unix_timestamp,
    answer,
    event.record
  )
end

-- Not back to the queue, where whole batches would fail with it.
function mod.keep_alone(event, answer)
  local db = open()
  db:execute(WAITING)
  db:execute(
    'INSERT OR REPLACE INTO waiting (event_id, due, attempts, answer, record) '
      .. 'VALUES (?, ?, 1, ?, ?)',
    event.id,
    kumo.time.now().unix_timestamp,
    answer,
    event.record
  )
end

function mod.holds(event)
  local found = open():execute(
    'SELECT event_id FROM dead_letters WHERE event_id = ?',
    event.id
  )
  -- For a query without rows kumod returns a list with one empty item.
  return type(found) == 'table' and found[1] == event.id
end

return mod
