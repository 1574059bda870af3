"""The bounce classifier: rules of TOML files, first match wins."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from standins.kumod.errors import KumoError
from standins.kumod.logs import Response

_CLASSIFIED = {"Bounce", "AdminBounce", "OOB", "TransientFailure", "Expiration"}


class BounceClassifier:
    """Classifies responses once it is configured; before, everything is Uncategorized."""

    def __init__(self) -> None:
        self._rules: list[tuple[re.Pattern[str], str]] = []

    def load(self, files: list[str], real: Callable[[str], Path]) -> None:
        for name in files:
            try:
                text = real(name).read_text(encoding="utf-8")
            except OSError as error:
                raise KumoError(
                    f"reading file: {name}: {error.strerror} (os error {error.errno})"
                ) from None
            try:
                self._add(tomllib.loads(text))
            except (tomllib.TOMLDecodeError, re.error) as error:
                raise KumoError(f"parsing toml from file: {name}: {error}") from None

    def _add(self, data: dict[str, Any]) -> None:
        for label, patterns in data.get("rules", {}).items():
            self._rules += [(re.compile(pattern), label) for pattern in patterns]

    def classify(self, kind: str, response: Response) -> str:
        if kind not in _CLASSIFIED:
            return "Uncategorized"
        enhanced = ".".join(str(part) for part in response.enhanced or ())
        line = " ".join(part for part in (str(response.code), enhanced, response.content) if part)
        for pattern, label in self._rules:
            if pattern.search(line):
                return label
        return "Uncategorized"
