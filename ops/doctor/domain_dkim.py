"""DKIM of a sender domain: what DNS publishes against the keys on the host."""

import base64
from collections.abc import Mapping

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from ops.doctor.finding import Finding, failed, passed, unknown
from ops.doctor.resolver import Resolver
from policy.settings.domains import SenderDomain

_RSA_BITS = 2048


def selector(
    domain: SenderDomain,
    name: str,
    resolver: Resolver,
    *,
    host_keys: Mapping[str, str] | None,
    publish: str,
) -> list[Finding]:
    """Record, key and length of one selector.

    `host_keys` maps `domain/selector` to the public key of the private one on the host, as base64
    of its SubjectPublicKeyInfo; None when the host did not answer.
    """
    subject = f"{domain.name} {name}"
    record_name = f"{name}._domainkey.{domain.name}"
    records = resolver.txt(record_name)
    chain = " → ".join(resolver.aliases(record_name, "TXT"))
    if len(records) != 1:
        return _no_record(subject, chain, records, publish)
    try:
        _, bits, kind, _ = dkim.evaluate_pk(record_name.encode(), records[0])
        published = _published_key(records[0], kind.decode())
    except (dkim.KeyFormatError, ValueError, TypeError, KeyError) as error:
        return _no_record(subject, f"{chain}: {error}", records, publish)
    return [
        passed("domain.dkim-record", subject, f"{chain}: {kind.decode()}, {bits} bits"),
        _same_key(f"{domain.name}/{name}", subject, published, host_keys, publish),
        _length(subject, kind.decode(), bits),
    ]


def _no_record(subject: str, saw: str, records: list[str], publish: str) -> list[Finding]:
    what = f"{len(records)} TXT records" if len(records) != 1 else "record cannot be parsed"
    missing = failed(
        "domain.dkim-record", subject, f"{saw}: {what}", expected="one DKIM record", mend=publish
    )
    no_key = "no published key to compare"
    return [
        missing,
        unknown("domain.dkim-key", subject, no_key),
        unknown("domain.dkim-length", subject, no_key),
    ]


def _published_key(record: str, kind: str) -> bytes:
    """The record's `p=` as raw Ed25519 key or DER of the RSA key, in one form for comparison."""
    tags = dkim.util.parse_tag_value(record.encode())
    data = base64.b64decode(tags[b"p"])
    if kind == "ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(data).public_bytes_raw()
    return _rsa_der(serialization.load_der_public_key(data))


def _rsa_der(key: object) -> bytes:
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("not an RSA key")
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _same_key(
    key_name: str,
    subject: str,
    published: bytes,
    host_keys: Mapping[str, str] | None,
    publish: str,
) -> Finding:
    if host_keys is None:
        return unknown("domain.dkim-key", subject, "the MTA host did not tell its public keys")
    if key_name not in host_keys:
        return failed(
            "domain.dkim-key",
            subject,
            "no key on the MTA host",
            expected=f"/opt/kumomta/etc/dkim/{key_name}.key",
            mend="pulumi up",
        )
    key = serialization.load_der_public_key(base64.b64decode(host_keys[key_name]))
    on_host = key.public_bytes_raw() if isinstance(key, ed25519.Ed25519PublicKey) else _rsa_der(key)
    if on_host == published:
        return passed("domain.dkim-key", subject, "published key = key on the host")
    return failed(
        "domain.dkim-key",
        subject,
        "the published key is another than the one on the host",
        expected="the host's key",
        mend=publish,
    )


def _length(subject: str, kind: str, bits: int) -> Finding:
    if kind == "rsa" and bits < _RSA_BITS:
        return failed(
            "domain.dkim-length",
            subject,
            f"RSA, {bits} bits",
            expected=f"{_RSA_BITS} bits or more",
            mend="replace the key: give the domain new selectors, then pulumi up",
        )
    return passed("domain.dkim-length", subject, f"{kind}, {bits} bits")
