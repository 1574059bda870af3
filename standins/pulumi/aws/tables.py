"""The tables beside this module."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def table(name: str) -> dict[str, Any]:
    """What `<name>.yaml` says."""
    return dict(yaml.safe_load(Path(__file__).with_name(f"{name}.yaml").read_text("utf-8")))
