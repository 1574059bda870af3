-- DKIM (RFC 6376, RFC 8463): every active key of the sender domain signs.
local kumo = require 'kumo'

local mod = {}

local KEYS = '/opt/kumomta/etc/dkim'

local HEADERS = {
  'From',
  'Reply-To',
  'To',
  'Cc',
  'Subject',
  'Date',
  'Message-ID',
  'MIME-Version',
  'Content-Type',
  'List-Unsubscribe',
  'List-Unsubscribe-Post',
}

local SIGNERS = {
  rsa = kumo.dkim.rsa_sha256_signer,
  ed25519 = kumo.dkim.ed25519_signer,
}

-- kumod caches signers by their parameters and keys by their path.
function mod.signer(domain, key)
  return SIGNERS[key.algorithm] {
    domain = domain,
    selector = key.selector,
    headers = HEADERS,
    -- A second From, or any other of these, added on the way breaks the
    -- signature.
    over_sign = true,
    key = string.format('%s/%s/%s.key', KEYS, domain, key.selector),
  }
end

function mod.sign(msg, domain, keys)
  for _, key in ipairs(keys) do
    msg:dkim_sign(mod.signer(domain, key))
  end
end

return mod
