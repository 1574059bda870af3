"""Example addresses and throw-away secrets for `ping8 render` and the tests.

Addresses are of the documentation ranges (RFC 5737) outside, of the VPC inside. Secrets
are valid and follow from the names of the stack, so that two renders are the same bytes.
"""

import datetime
import hashlib
import hmac
import ipaddress
import itertools
import math
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from policy.addresses import Address, Addresses
from policy.secrets import TEXTS, MtaSecrets
from policy.settings import Settings

_FIRST_DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_DOCUMENTATION = ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24")


def example_addresses(settings: Settings) -> Addresses:
    """Addresses as AWS would give them: the private ones from each host's subnet."""
    public = itertools.chain.from_iterable(
        map(str, ipaddress.ip_network(cidr).hosts()) for cidr in _DOCUMENTATION
    )
    # AWS keeps the first four addresses of a subnet.
    private = [
        itertools.islice(map(str, ipaddress.ip_network(cidr)), 10, None)
        for cidr in settings.network.subnets
    ]

    def address(subnet: int) -> Address:
        return Address(private=next(private[subnet]), public=next(public))

    mta = {host: address(settings.mta.subnet_of(host)) for host in settings.mta.host_names}
    sources = {
        source.name: address(proxy.subnet)
        for proxy in settings.proxies
        for source in settings.sources_of(proxy.name)
    }
    proxies = {
        proxy.name: sources[settings.sources_of(proxy.name)[0].name] for proxy in settings.proxies
    }
    limits = "limits.example.com" if settings.mta.nodes > 1 else None
    return Addresses(mta=mta, proxies=proxies, sources=sources, limits=limits)


def throw_away_secrets(settings: Settings) -> MtaSecrets:
    """Every secret that these settings need: valid, derived from the stack's names, throw-away.

    The same stack has the same secrets, so that two renders can be compared.
    """
    seed = f"{settings.environment} {settings.zone}"
    return MtaSecrets(
        **{text.field: _text(seed, text.label) for text in TEXTS if text.made},
        proxy_password=(
            _text(seed, "proxy")
            if any(proxy.authentication for proxy in settings.proxies)
            else None
        ),
        limits_password=_text(seed, "limits") if settings.mta.nodes > 1 else None,
        certificate_key=_key("ec", 256) if settings.certificate.kind == "given" else None,
        dkim_keys={
            (owner, selector): _key(kind, dkim.bits)
            for owner, dkim in settings.dkim_keys().items()
            for selector, kind in dkim.published()
        },
    )


def throw_away_certificate(settings: Settings) -> Settings:
    """The settings, with a configured certificate replaced by one for the throw-away key."""
    if settings.certificate.kind != "given":
        return settings
    key = load_pem_private_key(_key("ec", 256).encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the throw-away key is of the wrong kind")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, settings.injection_host)])
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(_FIRST_DAY)
        .not_valid_after(_FIRST_DAY.replace(year=_FIRST_DAY.year + 10))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(settings.injection_host)]), False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    chain = certificate.public_bytes(Encoding.PEM).decode()
    given = settings.certificate.model_copy(update={"chain": chain})
    return settings.model_copy(update={"certificate": given})


def _text(seed: str, use: str) -> str:
    return hmac.new(seed.encode(), use.encode(), "sha256").hexdigest()


@cache
def _key(kind: str, bits: int) -> str:
    key: PrivateKeyTypes
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.from_private_bytes(b"throw away".ljust(32))
    elif kind == "ec":
        key = ec.derive_private_key(0x7468726F772061776179, ec.SECP256R1())
    else:
        key = _rsa_key(bits)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


_TO_THE_NEXT_PRIME = {2048: (296, 482), 3072: (64, 932), 4096: (266, 712)}
"""By size: how far two numbers made up below are from the primes of the key."""


def _rsa_key(bits: int) -> rsa.RSAPrivateKey:
    p, q = (
        _number(bits // 2, f"{bits} {use}") + distance
        for use, distance in zip("pq", _TO_THE_NEXT_PRIME[bits], strict=True)
    )
    e = 65537
    d = pow(e, -1, math.lcm(p - 1, q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    rest = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *rest, public).private_key()


def _number(bits: int, use: str) -> int:
    parts = (hashlib.sha256(f"throw away {use} {i}".encode()).digest() for i in range(bits))
    made_up = b"".join(itertools.islice(parts, bits // 256 + 1))[: bits // 8]
    return int.from_bytes(made_up, "big") | 3 << (bits - 2) | 1
