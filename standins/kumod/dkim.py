"""kumo.dkim: signatures (RFC 6376, RFC 8463) made for real, by signers cached as kumod's."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class SignerParams:
    """What kumo.dkim.*_signer was given."""

    domain: str
    selector: str
    headers: tuple[str, ...]
    over_sign: bool = False
    expiration: int | None = None
    relaxed_header: bool = True
    relaxed_body: bool = True


class Signer(LuaObject):
    """A signer: reusable, as kumod caches it."""

    kind = "Signer"

    def __init__(self, params: SignerParams, key: Any) -> None:
        self.params = params
        self._key = key

    def signature_header(self, message: bytes, now: float) -> str:
        """The value of the DKIM-Signature header for this message."""
        block, body = hdr.split_message(message)
        fields = hdr.parse_headers(block)
        signed = self._signed_names(fields)
        tags = self._tags(signed, body, now)
        head = "; ".join(f"{name}={value}" for name, value in tags) + "; b="
        canonical = self._canonical_headers(fields, signed)
        own = f"DKIM-Signature: {head}".encode()
        canonical += _relaxed(own) if self.params.relaxed_header else own
        return head + base64.b64encode(self._sign(canonical)).decode()

    def _signed_names(self, fields: Sequence[tuple[str, bytes]]) -> list[str]:
        """Every configured name, there or not; to over-sign is each once more than it is there."""
        configured = [name.lower() for name in self.params.headers]
        if not self.params.over_sign:
            return configured
        present = [name.lower() for name, _ in fields]
        return [name for name in sorted(set(configured)) for _ in range(present.count(name) + 1)]

    def _tags(self, signed: list[str], body: bytes, now: float) -> list[tuple[str, str]]:
        algorithm = "rsa" if isinstance(self._key, rsa.RSAPrivateKey) else "ed25519"
        modes = ("relaxed" if on else "simple"
                 for on in (self.params.relaxed_header, self.params.relaxed_body))  # fmt: skip
        canonical = _canonical_body(body, relaxed=self.params.relaxed_body)
        tags = [
            ("v", "1"),
            ("a", f"{algorithm}-sha256"),
            ("d", self.params.domain),
            ("s", self.params.selector),
            ("c", "/".join(modes)),
            ("bh", base64.b64encode(hashlib.sha256(canonical).digest()).decode()),
            ("h", ":".join(signed)),
            ("t", str(int(now))),
        ]
        if self.params.expiration is not None:
            tags.append(("x", str(int(now) + self.params.expiration)))
        return tags

    def _canonical_headers(
        self, fields: Sequence[tuple[str, bytes]], signed: Sequence[str]
    ) -> bytes:
        remaining: dict[str, list[bytes]] = {}
        for name, raw in fields:
            remaining.setdefault(name.lower(), []).append(raw)
        chosen = b""
        for name in signed:
            values = remaining.get(name.lower())
            if values:
                raw = values.pop()
                chosen += _relaxed(raw) + b"\r\n" if self.params.relaxed_header else raw
        return chosen

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        signature: bytes = self._key.sign(hashlib.sha256(data).digest())
        return signature


def load_key(pem: bytes, origin: str) -> Any:
    """A private key in PEM."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KumoError(f"{origin}: failed to load a private key") from None
    if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise KumoError(f"{origin}: not an RSA or Ed25519 key")
    return key


def _relaxed(raw: bytes) -> bytes:
    name, _, value = raw.partition(b":")
    unfolded = re.sub(rb"\r?\n", b"", value)
    squeezed = re.sub(rb"[ \t]+", b" ", unfolded).strip(b" \t")
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


@api("kumo.dkim.rsa_sha256_signer")
def rsa_signer(ctx: LuaContext, params: Any) -> Signer:
    return _signer(ctx, deserialize("kumo.dkim.rsa_sha256_signer", params))


@api("kumo.dkim.ed25519_signer")
def ed25519_signer(ctx: LuaContext, params: Any) -> Signer:
    return _signer(ctx, deserialize("kumo.dkim.ed25519_signer", params))


def _signer(ctx: LuaContext, fields: dict[str, Any]) -> Signer:
    facts, signers = ctx.facts, ctx.configuration.signers
    facts.counters["dkim.signer"] += 1
    cache_key = json.dumps(fields, sort_keys=True, default=str)
    cached = signers.get(cache_key)
    if cached is not None and cached[0] > facts.now():
        kept: Signer = cached[1]
        return kept
    facts.counters["dkim.key_load"] += 1
    pem = facts.load_key_source(fields["key"])
    params = SignerParams(
        domain=fields["domain"],
        selector=fields["selector"],
        headers=tuple(fields["headers"]),
        over_sign=fields.get("over_sign", False),
        expiration=fields.get("expiration"),
        relaxed_header=fields.get("header_canonicalization", "Relaxed") == "Relaxed",
        relaxed_body=fields.get("body_canonicalization", "Relaxed") == "Relaxed",
    )
    signer = Signer(params, load_key(pem, f"{fields['key']!r}"))
    signers[cache_key] = (facts.now() + seconds(fields, "ttl", 300.0), signer)
    return signer
