"""Where a running set of providers can be reached."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Ports on loopback; `moto` and `metadata` may be served at further addresses, too."""

    aws: int
    command: int
    tls: int
    random: int
    moto: int
    metadata: int

    @property
    def debug_providers(self) -> str:
        """The value of PULUMI_DEBUG_PROVIDERS that attaches the engine to them."""
        names = ("aws", "command", "tls", "random")
        return ",".join(f"{name}:{getattr(self, name)}" for name in names)

    @property
    def moto_url(self) -> str:
        """The AWS API's endpoint on this machine."""
        return f"http://127.0.0.1:{self.moto}"
