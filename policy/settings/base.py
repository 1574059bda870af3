"""What every settings model is built on: strictness, camelCase keys and the small value types."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A frozen model that refuses unknown keys; a stack file writes its fields in camelCase."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration: str) -> int:
    """Seconds of a duration such as `30s`, `5m`, `24h` or `7d`."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def _duration(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,5}[smhd]", text):
        raise ValueError("write a whole number and a unit: 30s, 5m, 24h or 7d")
    return text


Duration = Annotated[str, AfterValidator(_duration)]
"""A whole number with a unit, `s`, `m`, `h` or `d`; KumoMTA and systemd both read it."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$")]
"""A name of ours (source, pool, brand, proxy host): it becomes part of resource and file names."""
