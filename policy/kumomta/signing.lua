-- DKIM (RFC 6376, RFC 8463): every active key of the sender domain signs.
local kumo = require 'kumo'

local data = require 'data'

local mod = {}

local KEYS = '/opt/kumomta/etc/dkim'

-- Once more than it is there: nobody can add a second author.
local ALWAYS = { 'From', 'From', 'To', 'Subject', 'Date', 'Message-ID' }

-- Signed where the first name of a group is there. To name an absent header
-- forbids others to add it, and mailing lists do add some (Reply-To, Sender);
-- groups, because kumod caches signers by their list of names.
local GROUPS = {
  { 'Content-Type', 'MIME-Version' },
  { 'Reply-To' },
  { 'Cc' },
  { 'Sender' },
  { 'List-Unsubscribe', 'List-Unsubscribe-Post' },
  { 'Feedback-ID' },
  { 'CFBL-Address', 'CFBL-Feedback-ID' },
  { 'In-Reply-To', 'References' },
}

local SIGNERS = {
  rsa = kumo.dkim.rsa_sha256_signer,
  ed25519 = kumo.dkim.ed25519_signer,
}

local function signed_names(headers)
  local names = table.move(ALWAYS, 1, #ALWAYS, 1, {})
  for _, group in ipairs(GROUPS) do
    if headers[group[1]:lower()] then
      table.move(group, 1, #group, #names + 1, names)
    end
  end
  return names
end

-- kumod hashes a body wrongly in relaxed form when nothing but line ends or
-- white space is in it or in its last lines (KumoMTA #575).
local function ends_with_empty_lines(text)
  local last = text:sub(-1000):match '%s*$'
  return #last == 1000 or last:find '\n[ \t\r\n]' ~= nil
end

-- The form of the body, in which both sides come to the same. The simple form
-- is wrong in kumod for a body whose last line has no end.
local function body_form(msg)
  local text = msg:get_data()
  if not ends_with_empty_lines(text) then
    return 'Relaxed'
  end
  if text:sub(-2) ~= '\r\n' then
    msg:set_data(text .. '\r\n')
  end
  return 'Simple'
end

-- The owner of the key is the domain itself or its brand.
-- kumod caches signers by their parameters and keys by their path.
function mod.signer(domain, owner, key, names, form)
  return SIGNERS[key.algorithm] {
    domain = domain,
    selector = key.selector,
    headers = names or ALWAYS,
    body_canonicalization = form or 'Relaxed',
    key = string.format('%s/%s/%s.key', KEYS, owner, key.selector),
  }
end

function mod.sign(msg, domain, known, headers)
  local names, form = signed_names(headers), body_form(msg)
  local keys, owner = known.signers, domain
  if not keys then
    keys, owner = data.read('brands')[known.brand].signers, known.brand
  end
  for _, key in ipairs(keys) do
    msg:dkim_sign(mod.signer(domain, owner, key, names, form))
  end
end

return mod
