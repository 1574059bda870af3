"""URLs that need no escape in an environment file, a systemd unit, Nginx or Lua."""

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

from policy.settings import names
from policy.settings.base import Kind


def https_url(text: str) -> str:
    """An HTTPS URL without user, password or characters that need an escape.

    Its host has the form of all our names.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError("write a URL such as https://app.example.com/api/kumo/events") from None
    if parts.scheme != "https":
        raise ValueError("use https://: nothing is sent unencrypted")
    if port == 0:
        raise ValueError("use a port from 1 to 65535")
    host = _host(parts)
    url = parts._replace(netloc=host if port is None else f"{host}:{port}").geturl()
    # Quotes, dollar signs and the like are escaped differently in each of those.
    if not re.fullmatch(r"[A-Za-z0-9:/?&=._~%+,;@\[\]-]*", url):
        raise ValueError("percent-encode everything except letters, digits and :/?&=._~%+,;@-")
    return url


def _host(parts: SplitResult) -> str:
    if parts.username is not None or parts.password is not None:
        raise ValueError("remove the user and password: a URL must not contain a secret")
    if not parts.hostname:
        raise ValueError("add the host, as in https://app.example.com/api/kumo/events")
    try:
        return names.host_name(parts.hostname)
    except names.InvalidNameError as error:
        raise ValueError(f"its host {parts.hostname} is not a valid name: {error}") from None


HttpsUrl = Annotated[str, AfterValidator(https_url), Kind(name="HTTPS URL")]
"""An HTTPS URL without user, password or characters that need an escape."""
