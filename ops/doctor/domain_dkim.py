"""DKIM of a sender domain: what DNS publishes against the keys on the host."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from ops.doctor import fixes
from ops.doctor.finding import Finding, failed, passed, unknown, warned
from ops.doctor.resolver import Resolver
from ops.stack import Deployment
from policy import record_names as names
from policy.dns.plan import zone_of
from policy.settings.domains import SenderDomain

_RSA_BITS = 2048
_IGNORED_BELOW = 1024
"""RSA keys that no receiver takes (RFC 8301, 3.2)."""

HostKeys = Callable[[], Mapping[str, str]]
"""Public keys of the private ones on the host by `domain/selector`, as base64 of their
SubjectPublicKeyInfo; it raises where the host does not answer."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A key record; `key` is in one form for comparison with the host's."""

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
        raise BadRecord("h= leaves out sha256, which we sign with")
    if not {b"*", b"email"} & set(services):
        raise BadRecord("s= leaves out email")
    if kind == b"rsa" and bits < _IGNORED_BELOW:
        raise BadRecord(f"RSA key of {bits} bits, which receivers ignore")
    testing = b"y" in tags.get(b"t", b"").split(b":")
    return Published(kind=kind.decode(), bits=bits, key=key, testing=testing)


def selector(
    domain: SenderDomain,
    name: str,
    resolver: Resolver,
    deployment: Deployment,
    host_keys: HostKeys,
) -> list[Finding]:
    """Record, key and length of one selector."""
    subject = f"{domain.name} {name}"
    record_name = names.dkim(name, domain.name)
    fix = fixes.record(deployment, domain.name, record_name)
    records = resolver.txt(record_name)
    aliases = resolver.aliases(record_name, "TXT")
    chain = " → ".join(aliases)
    if len(records) != 1:
        return _no_record(subject, f"{chain}: {len(records) or 'no'} TXT records", fix)
    try:
        published = parse(record_name, records[0])
    except BadRecord as error:
        return _no_record(subject, f"{chain}: {error}", fix)
    return [
        _record(domain, name, published, aliases, deployment),
        _same_key(f"{domain.name}/{name}", subject, published, host_keys, deployment, fix),
        _length(subject, published, deployment),
    ]


def _no_record(subject: str, saw: str, fix: str) -> list[Finding]:
    no_key = "no published key"
    return [
        failed("domain.dkim-record", subject, saw, expected="one DKIM key record", fix=fix),
        unknown("domain.dkim-key", subject, no_key),
        unknown("domain.dkim-length", subject, no_key),
    ]


def _record(
    domain: SenderDomain,
    name: str,
    published: Published,
    aliases: list[str],
    deployment: Deployment,
) -> Finding:
    subject = f"{domain.name} {name}"
    fix = fixes.record(deployment, domain.name, aliases[0])
    saw = f"{' → '.join(aliases)}: {published.kind}, {published.bits} bits"
    if published.testing:
        return warned(
            "domain.dkim-record",
            subject,
            f"{saw}, t=y",
            expected="no t=y: receivers may treat signed mail as unsigned",
            fix=fix,
        )
    target = names.dkim_target(name, domain.name, deployment.settings.zone)
    external = zone_of(deployment.settings, domain, aliases[0]) is None
    if external and target not in aliases:
        return warned(
            "domain.dkim-record",
            subject,
            f"{saw}, a copy instead of an alias",
            expected=f"CNAME {target}: else each new key waits for the domain's owner",
            fix=fix,
        )
    return passed("domain.dkim-record", subject, saw)


def _same_key(
    key_name: str,
    subject: str,
    published: Published,
    host_keys: HostKeys,
    deployment: Deployment,
    fix: str,
) -> Finding:
    try:
        keys = host_keys()
    except Exception as error:  # DNS is judged all the same; the host's own checks tell more
        return unknown("domain.dkim-key", subject, f"the MTA host told no public keys: {error}")
    if key_name not in keys:
        return failed(
            "domain.dkim-key",
            subject,
            "no key on the MTA host",
            expected=f"/opt/kumomta/etc/dkim/{key_name}.key",
            fix=fixes.push(deployment),
        )
    key = serialization.load_der_public_key(base64.b64decode(keys[key_name]))
    on_host = key.public_bytes_raw() if isinstance(key, ed25519.Ed25519PublicKey) else _rsa_der(key)
    if on_host == published.key:
        return passed("domain.dkim-key", subject, "the published key is the host's")
    return failed(
        "domain.dkim-key",
        subject,
        "the published key is another than the host's",
        expected="the host's key",
        fix=f"{fix}; if the host's key was changed there: {fixes.push(deployment)}",
    )


def _length(subject: str, published: Published, deployment: Deployment) -> Finding:
    if published.kind == "rsa" and published.bits < _RSA_BITS:
        return failed(
            "domain.dkim-length",
            subject,
            f"RSA, {published.bits} bits",
            expected=f"{_RSA_BITS} bits or more",
            fix="give the domain new selectors (dkim.selectors) and no key of your own, then "
            f"{fixes.up(deployment)}",
        )
    return passed("domain.dkim-length", subject, f"{published.kind}, {published.bits} bits")


def _raw(data: bytes) -> bytes:
    return ed25519.Ed25519PublicKey.from_public_bytes(data).public_bytes_raw()


def _rsa_der(key: object) -> bytes:
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("not an RSA key")
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
