"""A stack file's values without a problem, and how tests change them."""

import copy
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from policy.settings import Problem, Settings, SettingsError, load

Raw = dict[str, Any]

Refusals = dict[str, tuple[dict[str, Any], str, str]]
"""By what is wrong: the changes to good values, the key that is named, words of the fix."""

NOWHERE = Path("no-such-folder")

GOOD: Raw = {
    "zone": "mail.example.com",
    "operators": {"cidrs": ["198.51.100.0/28"]},
    "webhook": {"url": "https://app.example.com/api/kumo/events"},
    "sources": [
        {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
        {"name": "out-2", "proxy": "proxy-1", "ehlo": "out2"},
    ],
    "proxies": [{"name": "proxy-1"}],
    "pools": [
        {"name": "shared-default", "sources": {"proxy-default": 1}},
        {"name": "news", "sources": {"out-2": 1}},
    ],
    "brands": [
        {"name": "default", "pool": "shared-default"},
        {"name": "news", "pool": "news", "isolated": True},
    ],
    "domains": [
        {"name": "example.com", "zone": "example.com"},
        {"name": "news.example.net", "brand": "news"},
    ],
}


def read(raw: Mapping[str, object], directory: Path = NOWHERE) -> Settings:
    """The settings of an environment `test`."""
    return load(raw, environment="test", region="eu-central-1", directory=directory)


def problems(raw: Mapping[str, object], directory: Path = NOWHERE) -> tuple[Problem, ...]:
    """What is wrong with these values."""
    try:
        read(raw, directory)
    except SettingsError as error:
        return error.problems
    return ()


def changed(*changes: Callable[[Raw], object], **values: object) -> Raw:
    """The good values with some keys replaced, and changed in place."""
    raw = copy.deepcopy(GOOD) | values
    for change in changes:
        change(raw)
    return raw


def setting(path: str, value: object) -> Callable[[Raw], object]:
    """Sets `pools[1].sources.x`; a missing table is made, an index past the end is an addition."""

    def change(raw: Raw) -> None:
        steps: list[Any] = [
            int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)
        ]
        place: Any = raw
        for step in steps[:-1]:
            place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
        if isinstance(place, list) and steps[-1] == len(place):
            place.append(value)
        else:
            place[steps[-1]] = value

    return change


def source(name: str, ehlo: str) -> Raw:
    """One more source on the first proxy."""
    return {"name": name, "proxy": "proxy-1", "ehlo": ehlo}
