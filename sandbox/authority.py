"""The sandbox's own certificate authority: for AWS's endpoint names, ACME and the outside world."""

import os
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Files of a certificate; `chain` holds it and its issuer."""

    chain: Path
    key: Path


@dataclass(frozen=True, kw_only=True)
class Authority:
    """An authority whose key never leaves `folder`."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """What hosts are told to trust."""
        return self.folder / "authority.pem"

    def ensure(self) -> None:
        """Make the authority unless it exists."""
        if not self.certificate.exists():
            made = trustme.CA(organization_name="Sandbox authority of ping8-mail")
            _write(self._key, made.private_key_pem.bytes(), mode=0o600)
            _write(self.certificate, made.cert_pem.bytes(), mode=0o644)

    def issue(self, label: str, *names: str) -> Certificate:
        """A certificate for names or addresses, made anew only when they change."""
        self.ensure()
        found = Certificate(chain=self.folder / f"{label}.pem", key=self.folder / f"{label}.key")
        if found.chain.exists() and _names_of(found.chain) == list(names):
            return found
        issuer = trustme.CA.from_pem(self.certificate.read_bytes(), self._key.read_bytes())
        made = issuer.issue_cert(*names, common_name=names[0])
        chain = b"".join(part.bytes() for part in made.cert_chain_pems)
        _write(found.key, made.private_key_pem.bytes(), mode=0o600)
        _write(found.chain, chain + issuer.cert_pem.bytes(), mode=0o644)
        return found

    @property
    def _key(self) -> Path:
        return self.folder / "authority.key"


def _names_of(chain: Path) -> list[str]:
    certificate = x509.load_pem_x509_certificate(chain.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(each.value) for each in names]


def _write(path: Path, content: bytes, *, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    fresh.rename(path)
