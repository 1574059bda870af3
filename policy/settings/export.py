"""Settings as a stack output, from which operators' commands read them back."""

import json
from collections.abc import Mapping
from typing import Any

from policy.compressed import compressed, decompressed
from policy.settings.model import Settings

_PACKED = ("domains", "unpublished")


def exported(settings: Settings) -> dict[str, Any]:
    """What differs from the defaults, in the words of a stack file.

    What grows with the domains is compressed JSON: state keeps 12 bytes for each of 100,000.
    """
    data = settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    lists = {"domains": data.get("domains", []), "unpublished": sorted(settings.unpublished)}
    packed = (json.dumps(lists[key], separators=(",", ":")) for key in _PACKED)
    return {**data, **dict(zip(_PACKED, map(compressed, packed), strict=True))}


def unpacked(data: Any) -> Any:
    """An export with its domains as a list again. Raises ValueError if they cannot be read."""
    lists = {}
    for key in _PACKED:
        packed = data.get(key) if isinstance(data, Mapping) else None
        if not isinstance(packed, str):
            raise ValueError(f"no {key}")  # noqa: TRY004 - pydantic reports a ValueError
        lists[key] = json.loads(decompressed(packed))
    return {**data, **lists}
