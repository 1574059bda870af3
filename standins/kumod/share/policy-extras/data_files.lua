-- Stand-in. Reads the helpers' TOML and JSON files, and merges them.
local kumo = require 'kumo'
local mod = {}

function mod.load(file)
  if type(file) == 'table' then
    return file
  end
  if file:match '%.json$' then
    return kumo.serde.json_load(file)
  end
  return kumo.serde.toml_load(file)
end

function mod.merge(into, from)
  for key, value in pairs(from) do
    if type(value) == 'table' and type(into[key]) == 'table' then
      mod.merge(into[key], value)
    else
      into[key] = value
    end
  end
  return into
end

function mod.load_all(files)
  local merged = {}
  for _, file in ipairs(files) do
    mod.merge(merged, mod.load(file))
  end
  return merged
end

-- A validate_config handler that prints what `check` raises and fails.
function mod.on_validate(title, files, check)
  kumo.on('validate_config', function()
    local ok, err = pcall(check)
    if not ok then
      kumo.validation_failed()
      print('Issues found in the combined set of ' .. title .. ' files:')
      for _, file in ipairs(files) do
        print(' - ' .. (type(file) == 'table' and '(inline table)' or file))
      end
      print(tostring(err))
    end
  end)
end

return mod
