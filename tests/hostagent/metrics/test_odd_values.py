"""No odd value of kumod or the proxy hides another one, or ends the run."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from hostagent.metrics import kumod, proxy
from hostagent.metrics.collect import Collected
from hostagent.metrics.configuration import Config
from tests.hostagent.metrics.station import captured

ODD: tuple[Any, ...] = (None, True, "", "x", [], [None], {}, {"a": None}, -1, 1e400, float("nan"))
CONFIG = Config(
    environment="test", host="mta", role="mta", region="r", namespace="t", send=False,
    metrics=(), volumes={},
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a recorded answer; of equal entries of a list the first two."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:2]):
            yield from places(item, (*path, index))


def changed(answer: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    found = copy.deepcopy(answer)
    inner: Any = found
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return found


def look(role: str, answer: dict[str, Any]) -> Collected:
    found = Collected()
    if role == "proxy":
        found.guard("connections", lambda: [proxy.connections(answer)])
        found.count("counters", lambda: proxy.counters(answer))
    else:
        found.guard("metrics", lambda: kumod.gauges(answer))
        found.count("counters", lambda: kumod.counters(answer, CONFIG))
    return found


@pytest.mark.parametrize("name", ["busy", "fresh", "proxy"])
def test_every_other_number_is_still_reported(name: str) -> None:
    answer = captured(name)
    usual = look(name, answer)
    plain = {counter.key for counter in usual.counters if " " not in counter.key}
    for path in places(answer):
        for value in ODD:
            found = look(name, changed(answer, path, value))
            assert found.problems == [], (path, value)
            assert {metric.name for metric in usual.gauges} - {"memory_used_percent"} <= {
                metric.name for metric in found.gauges
            }, (path, value)
            assert plain <= {counter.key for counter in found.counters}, (path, value)


def test_a_row_without_source_and_pool_counts_under_other() -> None:
    """What mail to an address literal leaves."""
    name = "total_messages_delivered_by_provider_and_source"
    row = {"provider": None, "source": None, "pool": None, "@": 3}
    answer = captured("busy") | {name: {"help": "", "type": "counter", "value": [row]}}
    counters = [one for one in look("busy", answer).counters if one.key.startswith("delivered")]
    assert [one.value for one in counters] == [3.0]


def test_a_source_that_breaks_is_named_and_hides_no_other() -> None:
    found = Collected()

    def breaks() -> Iterator[Any]:
        yield from kumod.gauges(captured("busy"))
        raise AttributeError("odd")

    found.guard("broken", breaks)
    found.count("counters", lambda: kumod.counters(captured("busy"), CONFIG))
    assert found.problems == ["broken: AttributeError: odd"]
    assert found.gauges
    assert found.counters
