"""The machine images and public parameters that the sandbox's AWS offers."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def _table() -> dict[str, Any]:
    return dict(yaml.safe_load(Path(__file__).with_name("images.yaml").read_text("utf-8")))


def catalogue() -> list[dict[str, str]]:
    """Images as moto reads them at its start."""
    return list(_table()["images"])


def parameters() -> dict[str, str]:
    """Canonical's public parameters, which name the newest images."""
    return dict(_table()["parameters"])
