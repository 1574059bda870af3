"""The secrets that a host's files hold. No field shows in a repr."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Secrets of one environment, in plain text: only rendering may see them.

    `dkim_keys` maps (domain, selector) to a private key in PEM (PKCS#8).
    `digest_key` keys the digests by which secrets enter a release id.
    `previous_injection_token` stays valid while PING8 changes to the new one.
    """

    webhook_token: str = field(repr=False)
    injection_token: str = field(repr=False)
    dkim_keys: Mapping[tuple[str, str], str] = field(repr=False)
    digest_key: str = field(repr=False)
    previous_injection_token: str | None = field(default=None, repr=False)
    proxy_password: str | None = field(default=None, repr=False)
    certificate_key: str | None = field(default=None, repr=False)
