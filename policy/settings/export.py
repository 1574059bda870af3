"""Settings as a stack output, from which operators' commands read them back."""

import base64
import bz2
import json
from collections.abc import Mapping
from typing import Any

from policy.settings.model import Settings


def exported(settings: Settings) -> dict[str, Any]:
    """What differs from the defaults, in the words of a stack file.

    `domains` is compressed JSON as Base64: state keeps 12 bytes for each of 100,000 domains.
    """
    data = settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    domains = json.dumps(data.get("domains", []), separators=(",", ":"))
    return {**data, "domains": base64.b64encode(bz2.compress(domains.encode())).decode()}


def unpacked(data: Any) -> Any:
    """An export with its domains as a list again. Raises ValueError if they cannot be read."""
    packed = data.get("domains") if isinstance(data, Mapping) else None
    if not isinstance(packed, str):
        raise ValueError("no domains")  # noqa: TRY004 - pydantic reports a ValueError
    try:
        domains = json.loads(bz2.decompress(base64.b64decode(packed, validate=True)))
    except OSError as error:
        raise ValueError(f"domains: {error}") from error
    return {**data, "domains": domains}
