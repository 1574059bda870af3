"""kumo.dkim: signers, cached as kumod caches them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from standins.kumod.contract import deserialize
from standins.kumod.dkim import Signer, SignerParams, load_key
from standins.kumod.durations import parse_duration
from standins.kumod.registry import api

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext


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
    if cached is not None and cached[0] > facts.clock.now():
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
    ttl = parse_duration(fields.get("ttl", "300s")) or 300.0
    signers[cache_key] = (facts.clock.now() + ttl, signer)
    return signer
