-- Stand-in for KumoMTA's helper of the same name: signatures by sender domain.
local kumo = require 'kumo'
local data_files = require 'policy-extras.data_files'
local mod = {}

local FIELDS = {
  'headers', 'header_canonicalization', 'body_canonicalization', 'over_sign', 'expiration', 'ttl',
}

local function signer(params, domain)
  local selector = params.selector or 'default'
  local fields = {
    domain = params.domain or domain,
    selector = selector,
    headers = { 'From', 'To', 'Subject', 'Date', 'MIME-Version', 'Content-Type', 'Sender' },
    key = params.filename
      or ('/opt/kumomta/etc/dkim/%s/%s.key'):format(params.domain or domain, selector),
  }
  for _, name in ipairs(FIELDS) do
    if params[name] ~= nil then
      fields[name] = params[name]
    end
  end
  if params.algo == 'ed25519' then
    return kumo.dkim.ed25519_signer(fields)
  end
  return kumo.dkim.rsa_sha256_signer(fields)
end

function mod:setup(files)
  local cached = kumo.memoize(data_files.load_all, {
    name = 'dkim_data',
    ttl = '1 minute',
    capacity = 10,
    invalidate_with_epoch = true,
  })
  data_files.on_validate('dkim_sign', files, function()
    data_files.load_all(files)
  end)
  return function(msg)
    local data = cached(files)
    local domain = msg:from_header().domain
    local own = (data.domain or {})[domain]
    if not own then
      return
    end
    local params = data_files.merge(data_files.merge({}, data.base or {}), own)
    params.policy, params.additional_signatures, params.policy_algorithm = nil, nil, nil
    msg:dkim_sign(signer(params, domain))
    for _, name in ipairs((data.base or {}).additional_signatures or {}) do
      msg:dkim_sign(signer((data.signature or {})[name] or {}, domain))
    end
  end
end

return mod
