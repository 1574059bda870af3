"""TOML text of JSON-like data: enough for what policies write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(_value(element) for element in value)}]"
        case Mapping():
            inner = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items())
            return f"{{ {inner} }}"
    return '""'


def toml_text(data: Mapping[str, Any], prefix: str = "") -> str:
    """Plain values first, then one section for each table."""
    lines = [
        f"{_key(name)} = {_value(value)}"
        for name, value in data.items()
        if not isinstance(value, Mapping) and value is not None
    ]
    text = "\n".join(lines) + ("\n" if lines else "")
    for name, value in data.items():
        if isinstance(value, Mapping):
            path = f"{prefix}{_key(name)}"
            text += f"\n[{path}]\n{toml_text(value, f'{path}.')}"
    return text.lstrip("\n")
