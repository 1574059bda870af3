"""The secrets that each host's files hold, declared here alone.

A field below is all that a new secret needs, beside the file that it is written to: the stack file
may give it under the field's name in camel case, else Pulumi makes it.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any


def _secret(meaning: str, *, least: int = 32) -> Any:
    return field(repr=False, metadata={"meaning": meaning, "least": least})


def _optional(meaning: str, *, least: int = 0) -> Any:
    return field(default=None, repr=False, metadata={"meaning": meaning, "least": least})


@dataclass(frozen=True, kw_only=True)
class ProxySecrets:
    """What a proxy host's files hold, in plain text: only rendering may see it."""

    digest_key: str = _secret("Key of the digests by which secrets enter release ids.")
    proxy_password: str | None = _optional(
        "Password of the proxies that ask for one (RFC 1929).", least=16
    )


@dataclass(frozen=True, kw_only=True)
class MtaSecrets(ProxySecrets):
    """What the MTA host's files hold.

    `dkim_keys` maps (sender domain or brand, selector) to a key in PEM.
    """

    webhook_token: str = _secret("Token of each webhook call (`PING8_WEBHOOK_TOKEN`).")
    injection_token: str = _secret("Bearer token of injection, for Nginx alone.")
    trace_key: str = _secret(
        "Key by which mail that leaves is marked, so that forged bounces and complaints show."
    )
    previous_injection_token: str | None = _optional(
        "Token that stays valid while PING8 changes to the new one; remove it afterwards.",
        least=32,
    )
    limits_password: str | None = _optional(
        "Password of the server in which several MTA hosts count their limits.", least=16
    )
    certificate_key: str | None = _optional("Private key of `certificate.chain`, in PEM.")
    dkim_keys: Mapping[tuple[str, str], str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Text:
    """One secret text. `made`: Pulumi makes it unless given. `least`: a token's fewest characters,
    0 of what is no token."""

    field: str
    meaning: str
    made: bool
    least: int

    @property
    def key(self) -> str:
        """Its name in a stack file."""
        first, *rest = self.field.split("_")
        return first + "".join(word.title() for word in rest)

    @property
    def label(self) -> str:
        """Its part of resource names."""
        return self.field.replace("_", "-")


TEXTS = tuple(
    Text(field=f.name, made=f.default is MISSING, **f.metadata)
    for f in fields(MtaSecrets)
    if f.metadata
)
"""Every secret text of an environment."""

PROXY_TEXTS = tuple(f.name for f in fields(ProxySecrets))
"""Fields that proxy hosts hold too."""
