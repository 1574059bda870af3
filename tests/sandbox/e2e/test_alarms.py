"""Faults on running hosts: a metric crosses its threshold, an alarm is raised, mail goes on."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from policy.metrics import load
from policy.metrics.plan import metrics_of
from sandbox.journey import letter
from sandbox.run import Sandbox
from sandbox.world.webhook import Behaviour, Mode
from tests.sandbox.e2e.deploying import dead_unit, deploy, on, raw_setting, settings
from tests.sandbox.e2e.watching import cloudwatch, metrics, state, tell

pytestmark = pytest.mark.sandbox

SPOOL = "/var/spool/kumomta"
_NO_CLOCK = {"clock_offset_seconds"}
"""Containers have the machine's clock and may not set it: chrony does not run."""


@contextlib.contextmanager
def filled(sandbox: Sandbox, *, free_percent: int) -> Iterator[None]:
    """The spool's file system with only so much left."""
    script = (
        f"set -- $(stat --file-system --format='%S %b %a' {SPOOL}); "
        f"fallocate --length $(($1 * ($3 - $2 * {free_percent} / 100))) {SPOOL}/fill"
    )
    on(sandbox, "mta-1", "sh", "-euc", script)
    try:
        yield
    finally:
        on(sandbox, "mta-1", "rm", "-f", f"{SPOOL}/fill")


@pytest.mark.parametrize("host", ["mta-1", "proxy-1"])
def test_cloudwatch_gets_every_metric_of_the_table_from_a_real_host(
    sandbox_up: Sandbox, host: str
) -> None:
    tell(sandbox_up, host)
    tell(sandbox_up, host)
    dimensions = [{"Name": "Host", "Value": host}]
    held = cloudwatch(sandbox_up).list_metrics(Namespace=load().namespace, Dimensions=dimensions)
    names = {metric["MetricName"] for metric in held["Metrics"]}
    role = "mta" if host == "mta-1" else "proxy"
    expected = metrics_of(role, sandbox_up.deployment.settings)  # type: ignore[arg-type]
    plain = {metric.name for metric in expected if "provider" not in metric.by}
    assert plain - _NO_CLOCK <= names


def test_a_spool_that_fills_warns_and_then_alarms_before_kumod_refuses(
    sandbox_up: Sandbox,
) -> None:
    tell(sandbox_up)
    assert state(sandbox_up, "mta-1-disk-critical-spool") == "OK"
    with filled(sandbox_up, free_percent=12):
        found = metrics(sandbox_up)
        assert 10 < found["disk_free_percent", "spool"] < 15
        assert found["kumod_accepting",] == 1
        tell(sandbox_up)
        assert state(sandbox_up, "mta-1-disk-warning-spool") == "ALARM"
        assert state(sandbox_up, "mta-1-disk-critical-spool") == "ALARM"
        assert len(sandbox_up.send("reader@accept.example")) > 0


def test_a_proxy_that_stops_alarms(sandbox_up: Sandbox) -> None:
    tell(sandbox_up, "proxy-1")
    assert state(sandbox_up, "proxy-1-proxy-down") == "OK"
    with dead_unit(sandbox_up, "proxy-1", "kumoproxy"):
        found = metrics(sandbox_up, "proxy-1")
        assert (found["proxy_up",], found["units_down",]) == (0, 1)
        tell(sandbox_up, "proxy-1")
        assert state(sandbox_up, "proxy-1-proxy-down") == "ALARM"


def test_a_receiver_that_dies_alarms_by_the_events_that_wait(
    sandbox_up: Sandbox, receiver_behaves: Callable[[Behaviour], None]
) -> None:
    name = sandbox_up.deployment.settings.domains[0].name
    alarms = {**raw_setting(sandbox_up, "alarms"), "eventBacklog": 2}
    with settings(sandbox_up, {"alarms": alarms}):
        changes = deploy(sandbox_up)
        assert set(changes) == {"mail-alarms-mta-1-event-backlog", "mail-alarms-dashboard"}
        receiver_behaves(Behaviour(mode=Mode.RESET))
        for number in range(3):
            one = letter(f"news@{name}", f"reader{number}@accept.example")
            assert sandbox_up.ping8.inject(one)[0] == 200
        tell(sandbox_up)
        assert metrics(sandbox_up)["event_backlog",] > 2
        assert state(sandbox_up, "mta-1-event-backlog") == "ALARM"


def test_cloudwatch_out_of_reach_leaves_mail_alone(sandbox_up: Sandbox) -> None:
    on(sandbox_up, "mta-1", "ip", "route", "add", "blackhole", "169.254.169.254/32")
    try:
        on(sandbox_up, "mta-1", "systemctl", "start", "ping8-metrics", check=False)
        result = on(sandbox_up, "mta-1", "systemctl", "show", "--property=Result", "ping8-metrics")
        assert result == "Result=exit-code"
        assert len(sandbox_up.send("reader@accept.example")) > 0
    finally:
        on(sandbox_up, "mta-1", "ip", "route", "del", "blackhole", "169.254.169.254/32")
    tell(sandbox_up)
