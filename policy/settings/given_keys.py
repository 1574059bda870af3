"""Key pairs from the operators' private keys, in the formats for hosts and DNS."""

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from pydantic import SecretStr

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """The public half is not secret."""

    public: str
    private: SecretStr


def private_key(secret: SecretStr) -> PrivateKey | None:
    """The key in a PEM text (PKCS#1, PKCS#8 or OpenSSH); None if it is not of a supported kind."""
    data = secret.get_secret_value().strip().encode() + b"\n"
    load = load_ssh_private_key if b"BEGIN OPENSSH" in data else load_pem_private_key
    try:
        key = load(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey | Ed25519PrivateKey) else None


def dkim_pair(secret: SecretStr) -> KeyPair:
    """Private key in PKCS#8, public key as SubjectPublicKeyInfo, both PEM."""
    return _pair(secret, PrivateFormat.PKCS8, Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def ssh_pair(secret: SecretStr) -> KeyPair:
    """Both halves in OpenSSH's format."""
    return _pair(secret, PrivateFormat.OpenSSH, Encoding.OpenSSH, PublicFormat.OpenSSH)


def _pair(
    secret: SecretStr, private: PrivateFormat, encoding: Encoding, public: PublicFormat
) -> KeyPair:
    key = private_key(secret)
    if key is None:
        raise ValueError("not a private key; loaded settings never get here")
    text = key.private_bytes(Encoding.PEM, private, NoEncryption()).decode()
    return KeyPair(
        public=key.public_key().public_bytes(encoding, public).decode(), private=SecretStr(text)
    )
