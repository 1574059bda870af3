"""Records that large mailers publish (`data/published.yaml`)."""

from pathlib import Path
from typing import Any

import yaml

PUBLISHED: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("data").joinpath("published.yaml").read_text("utf-8")
)


def quoted(text: str) -> str:
    """TXT data in strings of at most 255 bytes."""
    parts = [text[at : at + 255] for at in range(0, len(text), 255)]
    return " ".join(f'"{part}"' for part in parts)


def spf_zone() -> dict[tuple[str, str], list[str]]:
    """All published SPF records, as a zone."""
    return {(name, "TXT"): [quoted(text)] for name, text in PUBLISHED["spf"].items()}
