"""Faults that are planted and fixed, and the word about hosts that are not well."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from sandbox import breaking, dns, health
from sandbox.layout import Layout
from sandbox.machine import ROUTE_53
from sandbox.parts import Parts
from sandbox.process import SandboxError
from standins.pulumi.hosts import Record, Zone
from tests.examples import SMALL, settings_of

KEY = Record(name="s1._domainkey.news.ping8.test", type="TXT", values=('"p=x"',))
OTHER = Record(name="s2._domainkey.news.ping8.test", type="TXT", values=('"p=y"',))


class Deployment:
    """Two hosts and one domain."""

    hosts: ClassVar = {
        "mta": SimpleNamespace(name="mta", instance_id="i-1"),
        "proxy-1": SimpleNamespace(name="proxy-1", instance_id="i-2"),
    }
    settings = settings_of(SMALL, domains=[{"name": "news.ping8.test"}])


DEPLOYMENT: Any = Deployment


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.setattr(dns.Authority, "running", lambda _self: False)
    layout = Layout(root=tmp_path)
    layout.state.mkdir()
    parts = Parts(layout)
    parts.names.publish(ROUTE_53, [Zone(name="ping8.test", records=(KEY, OTHER))])
    return parts


def published(sandbox: Parts) -> set[Record]:
    return {record for zone in sandbox.zones for record in zone.records}


def test_the_signing_keys_record_goes_and_comes_back(sandbox: Parts) -> None:
    for _ in range(2):
        breaking.plant("dns", sandbox, DEPLOYMENT)
        assert published(sandbox) == {OTHER}
        assert breaking.planted(sandbox.layout) == ["dns"]
    for _ in range(2):
        breaking.fix("dns", sandbox, DEPLOYMENT)
        assert published(sandbox) == {KEY, OTHER}
        assert breaking.planted(sandbox.layout) == []


def test_a_record_that_a_deployment_published_in_between_is_not_doubled(sandbox: Parts) -> None:
    breaking.plant("dns", sandbox, DEPLOYMENT)
    zones = [Zone(name="ping8.test", records=(KEY, OTHER))]
    sandbox.names.publish(ROUTE_53, zones)
    breaking.fix("dns", sandbox, DEPLOYMENT)
    (zone,) = sandbox.zones
    assert len(zone.records) == 2


@pytest.mark.parametrize("change", [breaking.plant, breaking.fix])
def test_an_unknown_fault_names_those_there_are(change: Any, sandbox: Parts) -> None:
    with pytest.raises(SandboxError, match="there are: proxy, webhook, dns, disk"):
        change("lightning", sandbox, DEPLOYMENT)


class Hosts:
    """Containers of which one may be stopped, with what systemctl and the agent say."""

    def __init__(
        self,
        failed: dict[str, str],
        running: tuple[str, ...] = ("i-1", "i-2"),
        units: dict[str, str] | None = None,
    ) -> None:
        self._failed, self._running, self._units = failed, running, units

    def states(self) -> dict[str, bool]:
        return {name: name in self._running for name in ("i-1", "i-2")}

    def execute(
        self, name: str, program: str, *_arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        if program == "systemctl":
            return subprocess.CompletedProcess((), 0, self._failed.get(name, ""))
        assert not check
        if self._units is None:
            return subprocess.CompletedProcess((), 127, "")
        units = [{"unit": unit, "active": state} for unit, state in self._units.items()]
        return subprocess.CompletedProcess((), 0, json.dumps({"units": units}))


def test_a_failed_unit_is_named_with_its_host_and_its_log() -> None:
    listed = "ping8-metrics.service loaded failed failed Tell CloudWatch how this host is\n"
    hosts: Any = Hosts({"i-2": listed})
    with pytest.raises(SandboxError) as found:
        health.require_healthy(DEPLOYMENT, hosts)
    assert str(found.value) == (
        "units down on proxy-1: ping8-metrics.service; "
        "see `ping8 sandbox logs proxy-1 --unit ping8-metrics.service`"
    )


def test_a_unit_of_the_release_that_was_stopped_is_named_as_one_that_failed() -> None:
    hosts: Any = Hosts({}, ("i-2",), {"kumoproxy": "inactive", "unbound": "active"})
    assert health.failed_units(DEPLOYMENT, hosts) == {
        "mta": ["not running"],
        "proxy-1": ["kumoproxy"],
    }


def test_a_stopped_host_is_reported_and_healthy_hosts_are_not() -> None:
    hosts: Any = Hosts({}, running=("i-1",))
    assert health.failed_units(DEPLOYMENT, hosts) == {"proxy-1": ["not running"]}
    health.require_healthy(DEPLOYMENT, Hosts({}))  # type: ignore[arg-type]
