-- IPv4 addresses as text.
local mod = {}

local function octets(text)
  local a, b, c, d = text:match '^(%d+)%.(%d+)%.(%d+)%.(%d+)$'
  if not a then
    return nil
  end
  local parts = { tonumber(a), tonumber(b), tonumber(c), tonumber(d) }
  for _, part in ipairs(parts) do
    if part > 255 then
      return nil
    end
  end
  return parts
end

function mod.is_ipv4(text)
  return octets(text) ~= nil
end

-- RFC 1918, shared address space (RFC 6598) and loopback: not routed outside
-- the network.
function mod.is_private(text)
  local parts = octets(text)
  if not parts then
    return false
  end
  local a, b = parts[1], parts[2]
  return a == 10
    or a == 127
    or (a == 172 and b >= 16 and b <= 31)
    or (a == 192 and b == 168)
    or (a == 100 and b >= 64 and b <= 127)
end

return mod
