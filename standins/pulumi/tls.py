"""The tls provider: private keys and self-signed certificates, made once and kept in the state."""

import base64
import datetime
import hashlib
import ipaddress
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from standins.pulumi.errors import ProviderError
from standins.pulumi.generated import Generated
from standins.pulumi.properties import Properties
from standins.pulumi.server import Provider

# The four kinds share no base class that mypy could use.
Key = Any

_CURVES: dict[str, Any] = {
    "P224": ec.SECP224R1,
    "P256": ec.SECP256R1,
    "P384": ec.SECP384R1,
    "P521": ec.SECP521R1,
}
_SUBJECT = {
    "commonName": NameOID.COMMON_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "country": NameOID.COUNTRY_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
}
_EXTENDED = {
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
}


def provider() -> Provider:
    """The tls provider at the version that the program's SDK asks for."""
    key_secrets = frozenset({"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"})
    resources = [
        Generated(
            "tls:index/privateKey:PrivateKey",
            _private_key,
            secrets=key_secrets,
            defaults={"ecdsaCurve": "P224", "rsaBits": 2048},
        ),
        Generated(
            "tls:index/selfSignedCert:SelfSignedCert",
            _self_signed,
            secrets=frozenset({"privateKeyPem"}),
            defaults={"earlyRenewalHours": 0, "isCaCertificate": False},
            updatable=frozenset({"earlyRenewalHours"}),
        ),
    ]
    return Provider(name="tls", version="5.6.2", resources={item.kind: item for item in resources})


def _private_key(inputs: Properties) -> tuple[str, Properties]:
    key = _generate(inputs)
    public = _public_outputs(key)
    return public["identity"], {
        "privateKeyPem": _traditional(key),
        "privateKeyPemPkcs8": _private(key, serialization.PrivateFormat.PKCS8),
        "privateKeyOpenssh": _openssh(key),
        **{name: value for name, value in public.items() if name != "identity"},
    }


def _generate(inputs: Properties) -> Key:
    algorithm = inputs["algorithm"]
    if algorithm == "RSA":
        return rsa.generate_private_key(65537, int(inputs["rsaBits"]))
    if algorithm == "ED25519":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == "ECDSA" and inputs["ecdsaCurve"] in _CURVES:
        return ec.generate_private_key(_CURVES[inputs["ecdsaCurve"]]())
    raise ProviderError(
        f"algorithm '{algorithm}' with curve '{inputs['ecdsaCurve']}': one of RSA, ECDSA, ED25519"
        f" is expected, and for ECDSA a curve out of {', '.join(_CURVES)}"
    )


def _private(key: Key, form: serialization.PrivateFormat) -> str:
    encoded: bytes = key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    )
    return encoded.decode()


def _traditional(key: Key) -> str:
    """PKCS #1 for RSA, SEC 1 for ECDSA; Ed25519 has PKCS #8 only."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return _private(key, serialization.PrivateFormat.PKCS8)
    return _private(key, serialization.PrivateFormat.TraditionalOpenSSL)


def _openssh(key: Key) -> str:
    return "" if _without_ssh(key) else _private(key, serialization.PrivateFormat.OpenSSH)


def _without_ssh(key: Key) -> bool:
    return isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP224R1)


def _public_outputs(key: Key) -> Properties:
    public = key.public_key()
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    outputs = {
        "identity": hashlib.sha1(der, usedforsecurity=False).hexdigest(),
        "publicKeyPem": pem.decode(),
        "publicKeyOpenssh": "",
        "publicKeyFingerprintMd5": "",
        "publicKeyFingerprintSha256": "",
    }
    if _without_ssh(key):
        return outputs
    line = public.public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    ).decode()
    blob = base64.b64decode(line.split()[1])
    md5 = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    sha256 = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return {
        **outputs,
        "publicKeyOpenssh": f"{line}\n",
        "publicKeyFingerprintMd5": ":".join(md5[i : i + 2] for i in range(0, len(md5), 2)),
        "publicKeyFingerprintSha256": f"SHA256:{sha256}",
    }


def _self_signed(inputs: Properties) -> tuple[str, Properties]:
    key: Key = serialization.load_pem_private_key(inputs["privateKeyPem"].encode(), password=None)
    start = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    end = start + datetime.timedelta(hours=int(inputs["validityPeriodHours"]))
    subject = _name(inputs.get("subject") or {})
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(
            x509.BasicConstraints(ca=bool(inputs["isCaCertificate"]), path_length=None),
            critical=True,
        )
    )
    for extension in _extensions(inputs):
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    certificate = builder.sign(key, algorithm)
    return str(certificate.serial_number), {
        "certPem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "keyAlgorithm": _algorithm(key),
        "readyForRenewal": False,
        "validityStartTime": start.isoformat(),
        "validityEndTime": end.isoformat(),
    }


def _name(subject: Properties) -> x509.Name:
    attributes = [
        x509.NameAttribute(identifier, subject[field])
        for field, identifier in _SUBJECT.items()
        if subject.get(field)
    ]
    return x509.Name(attributes)


def _extensions(inputs: Properties) -> list[Any]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in inputs.get("dnsNames") or []]
    names += [
        x509.IPAddress(ipaddress.ip_address(item)) for item in inputs.get("ipAddresses") or []
    ]
    uses = [_EXTENDED[use] for use in inputs["allowedUses"] if use in _EXTENDED]
    extensions: list[Any] = [x509.SubjectAlternativeName(names)] if names else []
    return [*extensions, x509.ExtendedKeyUsage(uses)] if uses else extensions


def _algorithm(key: Key) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ED25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "ECDSA"
