"""kumo.dkim: signatures (RFC 6376, RFC 8463) made for real, by signers cached as kumod's."""

import base64
import hashlib
import json
import re
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from standins.kumod import headers as hdr
from standins.kumod.contract import deserialize
from standins.kumod.durations import seconds
from standins.kumod.errors import KumoError
from standins.kumod.lua import LuaContext
from standins.kumod.objects import LuaObject, api

_TTL = 300.0


class Signer(LuaObject):
    kind = "Signer"

    def __init__(self, params: dict[str, Any], pem: bytes) -> None:
        self._params = params
        try:
            self._key: Any = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KumoError(f"{params['key']!r}: failed to load a private key") from None
        if not isinstance(self._key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
            raise KumoError(f"{params['key']!r}: not an RSA or Ed25519 key")
        self._relaxed_header, self._relaxed_body = (
            params.get(f"{part}_canonicalization", "Relaxed") == "Relaxed"
            for part in ("header", "body")
        )

    def signature_header(self, message: bytes, now: float) -> str:
        block, body = hdr.split_message(message)
        fields: dict[str, list[bytes]] = {}
        for name, raw in hdr.parse_headers(block):
            fields.setdefault(name.lower(), []).append(raw)
        signed = self._signed_names(fields)
        head = "; ".join(f"{tag}={value}" for tag, value in self._tags(signed, body, now)) + "; b="
        # Of repeated headers the last is signed first.
        chosen = [fields[name].pop() for name in signed if fields.get(name)]
        own = f"DKIM-Signature: {head}".encode()
        if self._relaxed_header:
            data = b"".join(_relaxed(raw) + b"\r\n" for raw in chosen) + _relaxed(own)
        else:
            data = b"".join(chosen) + own
        if isinstance(self._key, rsa.RSAPrivateKey):
            signature = self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        else:
            signature = self._key.sign(hashlib.sha256(data).digest())
        return head + base64.b64encode(signature).decode()

    def _signed_names(self, fields: dict[str, list[bytes]]) -> list[str]:
        """Every configured name, present or not; over-signing lists it once more than it occurs."""
        names = [name.lower() for name in self._params["headers"]]
        if not self._params.get("over_sign"):
            return names
        return [n for n in sorted(set(names)) for _ in range(len(fields.get(n, ())) + 1)]

    def _tags(self, signed: list[str], body: bytes, now: float) -> list[tuple[str, object]]:
        algorithm = "rsa" if isinstance(self._key, rsa.RSAPrivateKey) else "ed25519"
        modes = ("relaxed" if on else "simple" for on in (self._relaxed_header, self._relaxed_body))
        canonical = _canonical_body(body, relaxed=self._relaxed_body)
        return [
            ("v", 1),
            ("a", f"{algorithm}-sha256"),
            ("d", self._params["domain"]),
            ("s", self._params["selector"]),
            ("c", "/".join(modes)),
            ("bh", base64.b64encode(hashlib.sha256(canonical).digest()).decode()),
            ("h", ":".join(signed)),
            ("t", int(now)),
        ]


def _relaxed(raw: bytes) -> bytes:
    name, _, value = raw.partition(b":")
    squeezed = re.sub(rb"[ \t]+", b" ", re.sub(rb"\r?\n", b"", value)).strip(b" \t")
    return name.strip().lower() + b":" + squeezed


def _canonical_body(body: bytes, *, relaxed: bool) -> bytes:
    """As kumod does it, faults included (KumoMTA #575): empty last lines go before white space
    does, one line end stays of a body that has nothing else, and the simple form does not end a
    last line."""
    while body.endswith(b"\r\n\r\n"):
        body = body[:-2]
    if not relaxed:
        return body or b"\r\n"
    lines = body.removesuffix(b"\r\n").split(b"\r\n") if body else []
    return b"".join(re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") + b"\r\n" for line in lines)


for _name in ("kumo.dkim.rsa_sha256_signer", "kumo.dkim.ed25519_signer"):

    @api(_name)
    def _signer(ctx: LuaContext, params: Any, *, name: str = _name) -> Signer:
        fields = deserialize(name, params)
        facts, signers = ctx.facts, ctx.configuration.signers
        facts.counters["dkim.signer"] += 1
        key = json.dumps(fields, sort_keys=True, default=str)
        if key not in signers or signers[key][0] <= facts.now():
            facts.counters["dkim.key_load"] += 1
            expires = facts.now() + seconds(fields, "ttl", _TTL)
            signers[key] = expires, Signer(fields, facts.load_key_source(fields["key"]))
        signer: Signer = signers[key][1]
        return signer
