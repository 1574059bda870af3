"""Where the sandbox keeps things inside a checkout."""

from pathlib import Path


class Layout:
    """Folders of one checkout.

    `state` is removed with the sandbox. `cache` is kept and may be deleted at any time.
    """

    def __init__(self, *, root: Path) -> None:
        self.root = root
        self.state = root / ".sandbox"
        self.cache = root / ".cache" / "sandbox"
        self.pulumi_home = self.cache / "pulumi-home"
        self.backend = self.state / "pulumi"
        self.project = self.state / "project"
        self.hosts = self.state / "hosts"
        self.volumes = self.state / "volumes"
        self.dns = self.state / "dns"
        self.acme = self.state / "acme"
        self.authority = self.state / "authority"
        self.world = self.state / "world"
        self.daemons = self.state / "daemons"
        self.limits = self.state / "limits"
        self.balancer = self.state / "balancer"

    @classmethod
    def of_checkout(cls) -> "Layout":
        """The layout of the checkout that contains this code."""
        return cls(root=Path(__file__).resolve().parent.parent)
