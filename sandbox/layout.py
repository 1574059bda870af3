"""Where the sandbox keeps things inside a checkout, and the addresses of its world."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Folders of one checkout.

    `state` goes away with the sandbox; `cache` outlives it and may be deleted at any time.
    """

    root: Path

    @classmethod
    def of_checkout(cls) -> "Layout":
        """The checkout that this code is in."""
        return cls(root=Path(__file__).resolve().parent.parent)

    @property
    def state(self) -> Path:
        return self.root / ".sandbox"

    @property
    def cache(self) -> Path:
        return self.root / ".cache" / "sandbox"

    @property
    def pulumi_home(self) -> Path:
        """The engine's own folder: plugins."""
        return self.cache / "pulumi-home"

    @property
    def backend(self) -> Path:
        """Pulumi's state, in files."""
        return self.state / "pulumi"

    @property
    def hosts(self) -> Path:
        return self.state / "hosts"

    @property
    def volumes(self) -> Path:
        return self.state / "volumes"

    @property
    def dns(self) -> Path:
        return self.state / "dns"

    @property
    def acme(self) -> Path:
        return self.state / "acme"

    @property
    def authority(self) -> Path:
        """The sandbox's own certificate authority."""
        return self.state / "authority"

    @property
    def world(self) -> Path:
        return self.state / "world"

    @property
    def daemons(self) -> Path:
        """Process ids and logs of the background processes."""
        return self.state / "daemons"
