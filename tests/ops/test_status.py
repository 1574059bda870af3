"""What operators see of their hosts."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ops import status
from ops.main import build
from ops.stack import Deployment, HostAccess
from ops.status import Line, lines, number, severity, shown
from policy.errors import UserError
from policy.settings import Settings
from tests.examples import SMALL, settings_of
from tests.ops.hosts import access

SETTINGS: Settings = settings_of(SMALL)


DEPLOYMENT = Deployment(
    stack="small",
    settings=SETTINGS,
    hosts={"mta": access(), "proxy-1": access("proxy-1")},
    egress={},
)


def metric(name: str, value: float, unit: str = "Count", **dimensions: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "dimensions": dimensions}


ANSWER: dict[str, Any] = {
    "release": "0123456789abcdef",
    "kumomta": "2026.09.29-b90d8bc1",
    "units": [
        {"unit": "kumomta.service", "active": "active", "restarts": 0},
        {"unit": "nginx.service", "active": "failed", "restarts": 2},
    ],
    "metrics": [
        metric("disk_total_bytes", 107374182400, "Bytes", volume="spool"),
        metric("dead_letters", 0),
        metric("messages_delivered", 120),
        metric("disk_free_percent", 12, "Percent", volume="spool"),
        metric("disk_free_percent", 80, "Percent", volume="root"),
    ],
    "missing": ["clock: chrony has no time source yet"],
    "flow_seconds": 60,
}


def text(answers: Mapping[str, Mapping[str, Any]]) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(shown(answers, DEPLOYMENT))
    return console.export_text()


def test_metrics_come_in_the_order_of_the_table() -> None:
    assert lines(ANSWER, access(), SETTINGS) == [
        Line(metric="disk_free_percent", of="spool", value="12.0 %", severity="critical"),
        Line(metric="disk_free_percent", of="root", value="80.0 %", severity=""),
        Line(metric="messages_delivered", of="", value="120.0 a minute", severity=""),
        Line(metric="dead_letters", of="", value="0", severity=""),
        Line(metric="disk_total_bytes", of="spool", value="100.0 GiB", severity=""),
    ]


def test_flows_are_not_known_before_two_runs_of_the_timer() -> None:
    (line,) = lines({"metrics": [metric("messages_delivered", 3)]}, access(), SETTINGS)
    assert line.value == "not known yet"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("disk_free_percent", 25, ""),
        ("disk_free_percent", 24.9, "warning"),
        ("disk_free_percent", 14.9, "critical"),
        ("inodes_free_percent", 14.9, "critical"),
        ("dead_letters", 1, "warning"),
        ("event_backlog", 10_001, "critical"),
        ("clock_offset_seconds", -1.5, "warning"),
        ("certificate_days", 13, "critical"),
        ("kumod_up", 0, "critical"),
        ("units_down", 0, ""),
        ("messages_delivered", 0, ""),
        ("disk_total_bytes", 0, ""),
    ],
)
def test_a_state_is_marked_by_the_alarm_whose_limit_it_is_over(
    name: str, value: float, expected: str
) -> None:
    assert severity(name, value, access(), SETTINGS) == expected


def test_what_a_host_lacks_and_what_is_down_is_shown() -> None:
    shown_text = text({"mta": ANSWER})
    assert "nginx.service" in shown_text
    assert "chrony has no time source yet" in shown_text
    assert "kumomta.service" not in shown_text


def test_another_release_than_the_stack_pushed_is_shown() -> None:
    assert "the stack pushed 0123456789abcdef" in text({"mta": ANSWER | {"release": "feed"}})
    assert "the stack pushed" not in text({"mta": ANSWER})


def test_a_draining_host_shows_since_when_and_who() -> None:
    mark = {"since": 1_796_000_000, "by": "ann", "reason": "resize", "refusing": True}
    shown_text = text({"mta": ANSWER | {"draining": mark}})
    assert "drains since 2026-11-30 00:53 UTC by ann: resize" in shown_text


def test_a_host_that_does_not_answer_leaves_the_others_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(host: HostAccess, verb: list[str]) -> Any:
        if host.name == "mta":
            raise UserError("mta (198.18.0.1): no SSH connection")
        return {"release": host.release_id, "metrics": []}

    monkeypatch.setattr(status, "ssh_json", answer)
    monkeypatch.setattr(status, "read_deployment", lambda stack: DEPLOYMENT)
    run = CliRunner().invoke(build(), ["status", "--stack", "small"])
    assert run.exit_code == 1
    assert "no SSH connection" in run.output
    assert "proxy-1, release 0123456789abcdef" in run.output


def test_the_same_comes_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "ssh_json", lambda host, verb: ANSWER)
    monkeypatch.setattr(status, "read_deployment", lambda stack: DEPLOYMENT)
    run = CliRunner().invoke(build(), ["status", "--stack", "small", "--host", "mta", "--json"])
    assert run.exit_code == 0
    assert json.loads(run.output) == {"mta": ANSWER}


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.00012, "Seconds", "0.000 s"),
        (90, "Seconds", "90 s"),
        (3600, "Seconds", "60 min"),
        (36000, "Seconds", "10.0 h"),
        (1536, "Bytes", "1.5 KiB"),
        (1234567, "Count", "1,234,567"),
        (13.25, "None", "13.2"),
    ],
)
def test_numbers_read_as_people_say_them(value: float, unit: str, expected: str) -> None:
    assert number(value, unit) == expected


def test_one_screen_shows_what_flows_and_what_is_wrong_the_worst_first() -> None:
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(shown({"mta": ANSWER}, DEPLOYMENT, every_metric=False))
    rows = console.export_text().splitlines()
    assert rows[1].split()[:3] == ["critical", "disk_free_percent", "spool"]
    assert any("messages_delivered" in row for row in rows)
    assert any("nginx.service" in row for row in rows)
    assert not any("disk_total_bytes" in row for row in rows)
    assert all(len(row) <= 60 for row in rows)
