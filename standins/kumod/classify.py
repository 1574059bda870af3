"""The bounce classifier: rules of TOML or JSON files, first match wins."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

from standins.kumod.contract import contract
from standins.kumod.errors import KumoError
from standins.kumod.logs import Response

_NOT_IN_RUST = re.compile(r"\(\?<?[=!]|\(\?P=|\\[1-9]")
"""Look-around and back references: Rust's regular expressions have neither."""


class BounceClassifier:
    """Classifies responses once it is configured; before, everything is Uncategorized."""

    def __init__(self) -> None:
        self._rules: list[tuple[re.Pattern[str], str]] = []

    def load(self, files: list[str], real: Callable[[str], Path]) -> None:
        for name in files:
            if not name.endswith((".toml", ".json")):
                raise KumoError(
                    f"{name}: classifier files must have either .toml or .json filename extension"
                )
            try:
                text = real(name).read_text(encoding="utf-8")
            except OSError as error:
                raise KumoError(
                    f"reading file: {name}: {error.strerror} (os error {error.errno})"
                ) from None
            try:
                data = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
                for label, patterns in data["rules"].items():
                    self._rules += [(_compiled(pattern), label) for pattern in patterns]
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise KumoError(f"decoding {name} as BounceClassifierFile: {error}") from None

    def classify(self, kind: str, response: Response) -> str:
        if kind not in contract()["classified"]:
            return "Uncategorized"
        line = f"{response.code} "
        if response.enhanced:
            line += f"{'.'.join(map(str, response.enhanced))} "
        line += re.sub(r"\r\n|\r|\n", " ", response.content)
        for pattern, label in self._rules:
            if pattern.search(line):
                return label
        return "Uncategorized"


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        if _NOT_IN_RUST.search(pattern):
            raise KumoError(
                f"compiling rules: regex parse error: {pattern}: look-around and backreferences "
                "are not supported"
            )
        return re.compile(pattern)
    except re.error as error:
        raise KumoError(f"compiling rules: regex parse error: {pattern}: {error}") from None
