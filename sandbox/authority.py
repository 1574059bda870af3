"""The sandbox's own certificate authority: for AWS's endpoint names, ACME and the outside world."""

from dataclasses import dataclass
from pathlib import Path

import trustme

from sandbox.files import replace


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
        """The certificate that hosts trust."""
        return self.folder / "authority.pem"

    def ensure(self) -> None:
        """Make the authority unless it exists."""
        if not self.certificate.exists():
            made = trustme.CA(organization_name="Sandbox authority of ping8-mail")
            replace(self._key, made.private_key_pem.bytes())
            replace(self.certificate, made.cert_pem.bytes())

    def issue(self, label: str, *names: str) -> Certificate:
        """The certificate of that label, for names or addresses; made once."""
        self.ensure()
        found = Certificate(chain=self.folder / f"{label}.pem", key=self.folder / f"{label}.key")
        if not found.chain.exists():
            issuer = trustme.CA.from_pem(self.certificate.read_bytes(), self._key.read_bytes())
            made = issuer.issue_cert(*names, common_name=names[0])
            replace(found.key, made.private_key_pem.bytes())
            chain = (*made.cert_chain_pems, issuer.cert_pem)
            replace(found.chain, b"".join(part.bytes() for part in chain))
        return found

    @property
    def _key(self) -> Path:
        return self.folder / "authority.key"
