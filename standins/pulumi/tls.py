"""The tls provider: private keys, made once and kept in the state."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from standins.pulumi.errors import ProviderError
from standins.pulumi.generated import Generated
from standins.pulumi.properties import Properties
from standins.pulumi.server import Provider

Key = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def provider() -> Provider:
    """The tls provider at the version that the program's SDK asks for."""
    key = Generated(
        "tls:index/privateKey:PrivateKey",
        _private_key,
        secrets=frozenset({"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"}),
        defaults={"ecdsaCurve": "P224", "rsaBits": 2048},
        more=frozenset({"algorithm"}),
    )
    return Provider(name="tls", version="5.6.2", resources={key.kind: key})


def _private_key(inputs: Properties) -> tuple[str, Properties]:
    key = _generate(inputs)
    # PKCS #1 for RSA; Ed25519 has PKCS #8 only.
    traditional = isinstance(key, rsa.RSAPrivateKey)
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    der = _public(key, Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    line = _public(key, Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    blob = base64.b64decode(line.split()[1])
    sha256 = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return hashlib.sha1(der, usedforsecurity=False).hexdigest(), {
        "privateKeyPem": _private(key, form),
        "privateKeyPemPkcs8": _private(key, PrivateFormat.PKCS8),
        "privateKeyOpenssh": _private(key, PrivateFormat.OpenSSH),
        "publicKeyPem": _public(key, Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "publicKeyOpenssh": f"{line}\n",
        "publicKeyFingerprintMd5": hashlib.md5(blob, usedforsecurity=False).digest().hex(":"),
        "publicKeyFingerprintSha256": f"SHA256:{sha256}",
    }


def _generate(inputs: Properties) -> Key:
    if inputs["algorithm"] == "RSA":
        return rsa.generate_private_key(65537, int(inputs["rsaBits"]))
    if inputs["algorithm"] == "ED25519":
        return ed25519.Ed25519PrivateKey.generate()
    raise ProviderError(f"algorithm '{inputs['algorithm']}': the sandbox knows RSA and ED25519")


def _private(key: Key, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def _public(key: Key, encoding: Encoding, form: PublicFormat) -> bytes:
    return key.public_key().public_bytes(encoding, form)
