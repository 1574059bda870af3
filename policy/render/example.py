"""Example addresses and throw-away secrets: what `ping8 render` and tests render with.

Addresses are of the documentation ranges (RFC 5737) outside, of the VPC inside. Keys are valid, of
this process alone and shared by all domains, since making 2,048 bits takes a tenth of a second.
"""

import datetime
import ipaddress
import itertools
import secrets as random
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
from policy.secrets import Secrets
from policy.settings import Settings

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

    mta = address(settings.mta.subnet)
    sources = {
        source.name: address(proxy.subnet)
        for proxy in settings.proxies
        for source in settings.sources_of(proxy.name)
    }
    proxies = {
        proxy.name: sources[settings.sources_of(proxy.name)[0].name] for proxy in settings.proxies
    }
    return Addresses(mta=mta, proxies=proxies, sources=sources)


def throw_away_secrets(settings: Settings) -> Secrets:
    """Every secret that these settings need: valid, random, good for nothing."""
    return Secrets(
        webhook_token=random.token_urlsafe(32),
        injection_token=random.token_urlsafe(32),
        digest_key=random.token_hex(32),
        proxy_password=(
            random.token_urlsafe(32)
            if any(proxy.authentication for proxy in settings.proxies)
            else None
        ),
        certificate_key=_key("ec", 256) if settings.certificate.kind == "given" else None,
        dkim_keys={
            (domain.name, selector): _key(kind, domain.dkim.bits)
            for domain in settings.domains
            for selector, kind in domain.selectors()
        },
    )


def throw_away_certificate(settings: Settings) -> Settings:
    """The settings, a given certificate replaced by one that goes with the throw-away key."""
    if settings.certificate.kind != "given":
        return settings
    key = load_pem_private_key(_key("ec", 256).encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the throw-away key is not of the kind asked for")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, settings.mta_host)])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today)
        .not_valid_after(today + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(settings.mta_host)]), False)
        .sign(key, hashes.SHA256())
    )
    chain = certificate.public_bytes(Encoding.PEM).decode()
    given = settings.certificate.model_copy(update={"chain": chain})
    return settings.model_copy(update={"certificate": given})


@cache
def _key(kind: str, bits: int) -> str:
    key: PrivateKeyTypes
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    elif kind == "ec":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
