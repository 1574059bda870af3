-- Delivers events to PING8, whatever the transport. An event is a table of
-- `id`, `time` and `record` (the JSON text). It is handled when PING8 took it
-- or when it is committed as a dead letter; never otherwise.
local kumo = require 'kumo'

local answers = require 'answers'
local data = require 'data'
local dead_letters = require 'dead_letters'
local environment = require 'environment'
local events = require 'events'

local mod = {}

local LONGEST_ANSWER = 500

-- kumod's HTTP client follows redirects: the token would go wherever one
-- points, and an event would count as delivered there. So a service on this
-- host posts to PING8 (hostagent/events/forwarder.py) and follows none.
local FORWARDER = 'http://127.0.0.1:8010/'

-- Never cut inside a UTF-8 character: kumod would reject the text, and
-- repeat an event that was delivered.
local function shorten(text)
  local last = math.min(#text, LONGEST_ANSWER)
  while last > 0 and (text:byte(last + 1) or 0) & 0xC0 == 0x80 do
    last = last - 1
  end
  return text:sub(1, last)
end

-- For logs and dead letters: one short line, without the token even when the
-- receiver repeats it.
local function presentable(text)
  text = kumo.string.replace(text, environment.webhook_token, '[token]')
  return shorten((text:gsub('%c+', ' ')))
end

-- The text of an error, without its stack trace.
function mod.first_line(failure)
  return tostring(failure):match '^[^\n]*'
end

function mod.client()
  return kumo.http.build_client {
    timeout = data.read('webhook').timeout,
    user_agent = 'ping8-mail',
  }
end

-- The record itself, byte for byte.
local function single(batch)
  return batch[1].record, batch[1].id
end

-- A JSON array; each record begins with its event id. The records are joined as
-- text, because decoding a record in Lua would lose its nulls.
local function array(batch)
  local records = {}
  for i, event in ipairs(batch) do
    records[i] =
      event.record
        :gsub('%s+$', '')
        :gsub('^%s*{', '{"' .. events.ID_HEADER .. '":"' .. event.id .. '",', 1)
  end
  return '[' .. table.concat(records, ',') .. ']', batch[1].id
end

-- The setting may have changed since kumod put the batch together.
local function encode(batch, batch_size)
  if batch_size > 1 or #batch > 1 then
    return array(batch)
  end
  return single(batch)
end

local function post(client, batch)
  local webhook = data.read 'webhook'
  local body, id = encode(batch, webhook.batch_size)
  local ok, status, text = pcall(function()
    local response = client
      :post(FORWARDER)
      :header('Content-Type', 'application/json')
      :header('X-PING8-Kumo-Token', environment.webhook_token)
      :header(events.ID_HEADER, id)
      :body(body)
      :send()
    return response:status_code(), response:text()
  end)
  if not ok then
    return { class = answers.RETRY, text = presentable(mod.first_line(status)) }
  end
  return {
    class = answers.classify(status, text, webhook.failure_field),
    text = presentable(string.format('%d %s', status, text)),
  }
end

local function slice(list, from, to)
  return table.move(list, from, to, 1, {})
end

-- Posts a batch, and its halves if PING8 fails on it or refuses it: one bad
-- event must not delay or bury the good ones in its batch. Events on which it
-- fails are added to `failing`. Returns whether any event is handled, and the
-- answer that counts.
local function settle(client, batch, failing)
  local answer = post(client, batch)
  if answer.class == answers.DELIVERED then
    return true, answer
  end
  if answer.class == answers.RETRY then
    return false, answer
  end
  if #batch == 1 then
    if answer.class == answers.FAILING then
      table.insert(failing, batch[1])
      return false, answer
    end
    dead_letters.bury(batch[1], answer.text)
    return true, answer
  end
  local middle = #batch // 2
  local one, first = settle(client, slice(batch, 1, middle), failing)
  if first.class == answers.RETRY then
    return one, first
  end
  local other, second =
    settle(client, slice(batch, middle + 1, #batch), failing)
  local bad = second.class == answers.DELIVERED and first or second
  return one or other, bad
end

local function is_old(event)
  local age = kumo.time.now().unix_timestamp - event.time
  return age > data.read('webhook').max_event_age
end

local function not_buried(batch)
  local rest = {}
  for _, event in ipairs(batch) do
    if not (is_old(event) and dead_letters.holds(event)) then
      table.insert(rest, event)
    end
  end
  return rest
end

-- Buries events that are too old for another attempt; returns whether any remain.
local function bury_old(batch, answer)
  local left = false
  for _, event in ipairs(batch) do
    if is_old(event) then
      dead_letters.bury(event, answer.text)
    else
      left = true
    end
  end
  return left
end

-- Returns whether all events are handled, and the answer in one line. Raises
-- an error if the dead letters cannot be written.
function mod.deliver(client, batch)
  local rest = not_buried(batch)
  if #rest == 0 then
    return true, 'in the dead letters'
  end
  local failing = {}
  local handled, answer = settle(client, rest, failing)
  if answer.class == answers.RETRY or (#failing > 0 and not handled) then
    if bury_old(rest, answer) then
      return false, answer.text
    end
  else
    for _, event in ipairs(failing) do
      dead_letters.keep_alone(event, answer.text)
    end
  end
  if answer.class == answers.DELIVERED then
    return true, answer.text
  end
  return true, 'in the store of dead letters: ' .. answer.text
end

return mod
