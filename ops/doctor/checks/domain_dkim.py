"""DKIM of a sender domain: compares the records in DNS with the keys on the host."""

import base64
from dataclasses import dataclass

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from ops.doctor import fixes
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.registry import check
from ops.doctor.subjects import SELECTORS, Selector
from policy import record_names as names
from policy.contract import DKIM_KEYS
from policy.dns.plan import zone_of

_RSA_BITS = 2048
_NO_KEY = "no published key"
_IGNORED_BELOW = 1024
"""Receivers ignore RSA keys shorter than this (RFC 8301, 3.2)."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A key record; `key` is normalised for comparison with the host's."""

    kind: str
    bits: int
    key: bytes
    testing: bool


class BadRecord(Exception):
    """No receiver can use the record."""


def parse(name: str, record: str) -> Published:
    """A DKIM key record (RFC 6376, 3.6.1; RFC 8463). Raises `BadRecord` with the reason."""
    try:
        _, bits, kind, _ = dkim.evaluate_pk(name.encode(), record)
        tags = dkim.util.parse_tag_value(record.encode())
        data = base64.b64decode(tags[b"p"])
        key = (
            _raw(data) if kind == b"ed25519" else _rsa_der(serialization.load_der_public_key(data))
        )
    except (dkim.DKIMException, dkim.util.InvalidTagValueList) as error:
        raise BadRecord(str(error)) from error
    except (ValueError, TypeError, KeyError, UnicodeError) as error:
        raise BadRecord(f"p= holds no usable key: {error}") from error
    hashes = tags.get(b"h", b"sha256").split(b":")
    services = tags.get(b"s", b"*").split(b":")
    if b"sha256" not in hashes:
        raise BadRecord("h= does not allow sha256, which we sign with")
    if not {b"*", b"email"} & set(services):
        raise BadRecord("s= does not allow email")
    if kind == b"rsa" and bits < _IGNORED_BELOW:
        raise BadRecord(f"RSA key of {bits} bits, which receivers ignore")
    testing = b"y" in tags.get(b"t", b"").split(b":")
    return Published(kind=kind.decode(), bits=bits, key=key, testing=testing)


def _published(selector: Selector, case: Case) -> tuple[Published, list[str]]:
    """The key and the chain of CNAMEs to it. Raises `BadRecord`."""
    name = names.dkim(selector.name, selector.domain.name)
    records, aliases = case.resolver.txt(name), case.resolver.aliases(name, "TXT")
    chain = " → ".join(aliases)
    if len(records) != 1:
        raise BadRecord(f"{chain}: {len(records) or 'no'} TXT records")
    try:
        return parse(name, records[0]), aliases
    except BadRecord as error:
        raise BadRecord(f"{chain}: {error}") from None


def _look(selector: Selector, case: Case) -> tuple[Published, list[str]]:
    key = ("dkim", selector.domain.name, selector.name)
    return case.once(key, lambda: _published(selector, case))


def _fix(selector: Selector, case: Case) -> str:
    domain = selector.domain.name
    return fixes.record(case.deployment, domain, names.dkim(selector.name, domain))


@check("domain.dkim-record", SELECTORS)
def record(selector: Selector, case: Case) -> Finding:
    """The record is valid. In an external zone it is an alias, which follows key changes."""
    fix = _fix(selector, case)
    try:
        published, aliases = _look(selector, case)
    except BadRecord as error:
        return failed(str(error), expected="one DKIM key record", fix=fix)
    saw = f"{' → '.join(aliases)}: {published.kind}, {published.bits} bits"
    if published.testing:
        expected = "no t=y: receivers may treat signed mail as unsigned"
        return warned(f"{saw}, t=y", expected=expected, fix=fix)
    target = names.dkim_target(selector.name, selector.domain.key_owner, case.settings.zone)
    shared = not selector.domain.has_own_keys
    external = zone_of(case.settings, selector.domain, aliases[0]) is None
    if (shared or external) and target not in aliases:
        return warned(
            f"{saw}, a copy instead of an alias",
            expected=f"CNAME {target}; the domain's owner must publish each new key of a copy",
            fix=fix,
        )
    return passed(saw)


@check("domain.dkim-key", SELECTORS)
def same_key(selector: Selector, case: Case) -> Finding:
    """The published key matches the host's private key."""
    try:
        published, _ = _look(selector, case)
    except BadRecord:
        return unknown(_NO_KEY)
    name = f"{selector.domain.key_owner}/{selector.name}"
    push = fixes.push(case.deployment)
    for host, keys in case.every_mta("public-keys").items():
        if name not in keys:
            path = f"{DKIM_KEYS}/{name}.key"
            return failed(f"no key on {host}", expected=path, fix=push)
        if _on_host(keys[name]) != published.key:
            return failed(
                f"the published key differs from the one on {host}",
                expected="the host's key",
                fix=f"{_fix(selector, case)}; if the key was changed on the host: {push}",
            )
    return passed("the published key matches the host's")


def _on_host(public: str) -> bytes:
    key = serialization.load_der_public_key(base64.b64decode(public))
    return key.public_bytes_raw() if isinstance(key, ed25519.Ed25519PublicKey) else _rsa_der(key)


@check("domain.dkim-length", SELECTORS)
def length(selector: Selector, case: Case) -> Finding:
    """RSA keys are long enough."""
    try:
        published, _ = _look(selector, case)
    except BadRecord:
        return unknown(_NO_KEY)
    saw = f"{published.kind}, {published.bits} bits"
    if published.kind != "rsa" or published.bits >= _RSA_BITS:
        return passed(saw)
    return failed(
        saw,
        expected=f"{_RSA_BITS} bits or more",
        fix="give the domain new selectors (dkim.selectors) without a key of your own, then "
        f"{fixes.up(case.deployment)}",
    )


def _raw(data: bytes) -> bytes:
    return ed25519.Ed25519PublicKey.from_public_bytes(data).public_bytes_raw()


def _rsa_der(key: object) -> bytes:
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("not an RSA key")
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
