"""Settings as a stack output, from which operators' commands read them back."""

import json
from collections.abc import Mapping
from typing import Any

from policy.compressed import compressed, decompressed
from policy.settings.model import Settings


def exported(settings: Settings) -> dict[str, Any]:
    """What differs from the defaults, in the words of a stack file.

    `domains` is compressed JSON: state keeps 12 bytes for each of 100,000 domains.
    """
    data = settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    domains = json.dumps(data.get("domains", []), separators=(",", ":"))
    return {**data, "domains": compressed(domains)}


def unpacked(data: Any) -> Any:
    """An export with its domains as a list again. Raises ValueError if they cannot be read."""
    packed = data.get("domains") if isinstance(data, Mapping) else None
    if not isinstance(packed, str):
        raise ValueError("no domains")  # noqa: TRY004 - pydantic reports a ValueError
    return {**data, "domains": json.loads(decompressed(packed))}
