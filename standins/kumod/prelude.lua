-- The Lua side of the stand-in: shims that carry calls to Python, events, and error values.
-- Errors of kumo functions are objects, as in kumod; errors of Lua itself stay strings.
local py, config = ...

local rawtype, setmetatable, error, tostring = type, setmetatable, error, tostring
local select, xpcall, rawget, next, pairs = select, xpcall, rawget, next, pairs
local traceback, getinfo = debug.traceback, debug.getinfo

local function weak()
  return setmetatable({}, { __mode = 'k' })
end
-- What each error says, the Python object behind each object, and the table behind each view.
local err_info, py_of, shared = weak(), weak(), weak()

local function trace(level)
  local text = traceback('', level + 1)
  return (text:gsub('^\n', ''):gsub('%[C%]:%d+:', '[C]:'))
end

local error_meta = {
  __name = 'error',
  __tostring = function(e)
    local info = err_info[e]
    local head = info.kind == 'reject' and (info.code .. ' ' .. info.message) or info.message
    return head .. '\n' .. info.traceback
  end,
}

local function throw(kind, message, code)
  local e = setmetatable({}, error_meta)
  err_info[e] = { kind = kind, message = message, code = code, traceback = trace(3) }
  error(e, 0)
end

local function check(ok, ...)
  if ok then
    return ...
  end
  throw(...)
end

local function call(name, ...)
  return check(py(name, ...))
end

local function bind(name)
  return function(...)
    return call(name, ...)
  end
end

local function expect(position, value, wanted)
  if rawtype(value) ~= wanted then
    local found = rawtype(value)
    throw('external', ('bad argument #%d: error converting Lua %s to %s'):format(position, found, wanted))
  end
end

-- Objects ------------------------------------------------------------------

-- One metatable for each kind of object.
local metas = setmetatable({}, { __index = function(metas, kind)
  local methods = {}
  for _, name in ipairs(config.methods[kind] or {}) do
    local full = kind .. ':' .. name
    methods[name] = function(self, ...)
      local object = py_of[self]
      if object == nil then
        throw('external', 'bad argument `self` to `' .. name .. '`: expected ' .. kind)
      end
      return call(full, object, ...)
    end
  end
  metas[kind] = {
    __name = kind,
    __index = function(self, key)
      return methods[key] or call('index', py_of[self], key)
    end,
    __newindex = function(_, key)
      error(('attempt to index a %s value (field %q)'):format(kind, tostring(key)), 2)
    end,
    __tostring = function(self)
      return call('tostring', py_of[self])
    end,
    __pairs = function()
      throw('external', kind .. ' cannot be iterated in this stand-in for kumod')
    end,
  }
  return metas[kind]
end })

local function new(kind, object)
  local proxy = setmetatable({}, metas[kind])
  py_of[proxy] = object
  return proxy
end

-- Tables from a cache are shared and come as userdata: they can be indexed, measured and walked,
-- but they are no tables to `type` and `next`, and their length is the number of all entries.
local shared_meta

local function view(value)
  if rawtype(value) ~= 'table' or py_of[value] ~= nil or shared[value] ~= nil then
    return value
  end
  local proxy = setmetatable({}, shared_meta)
  shared[proxy] = value
  return proxy
end

shared_meta = {
  __name = 'MemoizedTable',
  __index = function(self, key)
    if math.type(key) == 'float' then
      return nil
    end
    return view(shared[self][key])
  end,
  -- Writing makes a copy of this level, for this reader alone.
  __newindex = function(self, key, value)
    local copy = {}
    for k, v in next, shared[self] do
      copy[k] = v
    end
    copy[key] = value
    shared[self] = copy
  end,
  __len = function(self)
    local count = 0
    for _ in next, shared[self] do
      count = count + 1
    end
    return count
  end,
  __pairs = function(self)
    local content, key, value = shared[self], nil, nil
    return function()
      key, value = next(content, key)
      return key, view(value)
    end
  end,
}

local lua_next = next
function _G.next(value, key)
  if shared[value] ~= nil then
    error("bad argument #1 to 'next' (table expected, got userdata)", 2)
  end
  return lua_next(value, key)
end

function type(value)
  if py_of[value] ~= nil or err_info[value] ~= nil or shared[value] ~= nil then
    return 'userdata'
  end
  return rawtype(value)
end

-- Modules ------------------------------------------------------------------

for _, name in ipairs(config.functions) do
  local target = package.loaded
  for part in name:gmatch '([^.]+)%.' do
    target[part] = target[part] or {}
    target = target[part]
  end
  target[name:match '[^.]+$'] = bind(name)
end
local kumo = package.loaded.kumo

-- Events -------------------------------------------------------------------

local handlers = {}
local current_event = nil

function kumo.on(name, func)
  expect(1, name, 'string')
  expect(2, func, 'function')
  if current_event and current_event ~= 'main' then
    throw(
      'external',
      ("Attempting to register an event handler via `kumo.on('%s', ...)` from within the event "
        .. "handler '%s'. You must move your event handler registration so that it is setup "
        .. 'directly when the policy is loaded in order for it to consistently trigger and '
        .. 'handle events.'):format(name, current_event)
    )
  end
  if config.events[name] == 'lacking' then
    throw('external', 'the event ' .. name .. ' is not in this stand-in for kumod')
  end
  local list = handlers[name] or {}
  if #list > 0 and config.events[name] ~= 'multiple' then
    local info = getinfo(list[1], 'S')
    local place = info.source:gsub('^@', '') .. ':' .. info.linedefined
    throw('external', ('%s event already has a handler defined at %s'):format(name, place))
  end
  table.insert(list, func)
  handlers[name] = list
end

local function on_error(e)
  if err_info[e] then
    return e
  end
  local wrapped = setmetatable({}, error_meta)
  err_info[wrapped] = { kind = 'runtime', message = tostring(e), traceback = trace(2) }
  return wrapped
end

local instructions = 0
local function count()
  instructions = instructions + 1
end

local function invoke(func, ...)
  if config.count_instructions then
    debug.sethook(count, '', 1)
  end
  return xpcall(func, on_error, ...)
end

local function first_result(list, ...)
  for _, func in ipairs(list) do
    local result = func(...)
    if result ~= nil then
      return result
    end
  end
end

local host = {}

function host.call_event(name, ...)
  current_event = name
  return invoke(first_result, handlers[name], ...)
end

function host.has_handler(name)
  return handlers[name] ~= nil
end

function host.method(object, name, ...)
  return invoke(function(...)
    local func = object[name]
    if func == nil then
      throw('external', 'error converting Lua nil to function')
    end
    return func(object, ...)
  end, ...)
end

function host.has_method(object, name)
  return rawtype(object) == 'table' and rawtype(object[name]) == 'function'
end

function host.describe(e)
  local info = err_info[e]
  return info.kind, info.message, info.code, info.traceback
end

host.invoke = invoke
host.new = new
function host.unwrap(value)
  return py_of[value] or shared[value]
end
function host.instructions()
  return instructions
end

-- Functions that need a Lua function ---------------------------------------

function kumo.memoize(func, options)
  expect(1, func, 'function')
  local cache = call('memoize.new', options)
  local seen = {}
  return function(...)
    local found = call('memoize.lookup', cache, ...)
    local mine = seen[found.key]
    if not mine or mine.version ~= found.version then
      mine = found
      if found.version then
        mine.value = call('memoize.value', cache, found.key)
      else
        mine.value = func(...)
        mine.version = call('memoize.store', cache, found.key, mine.value)
      end
      seen[found.key] = mine
    end
    return view(mine.value)
  end
end

-- The host under Lua's own libraries ---------------------------------------

function print(...)
  local parts = {}
  for i = 1, select('#', ...) do
    parts[i] = tostring((select(i, ...)))
  end
  call('print', table.concat(parts, '\t'))
end

-- The policy reaches its host through kumo alone.
local function missing(name)
  return function()
    throw('external', name .. ' is not in this stand-in for kumod')
  end
end
for _, library in ipairs { 'os', 'io' } do
  for name in pairs(_G[library]) do
    _G[library][name] = missing(library .. '.' .. name)
  end
end
dofile, loadfile = missing 'dofile', missing 'loadfile'
os.getenv = bind 'getenv'

package.path = config.package_path
package.cpath = ''
if config.validating then
  _VALIDATING_CONFIG = true
end

return host
