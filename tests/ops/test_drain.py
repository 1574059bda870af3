"""`ping8 drain`: what it asks the hosts, what it shows, and when it refuses."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ops import drain
from ops.main import build
from ops.stack import Deployment, HostAccess
from policy.errors import UserError
from tests.examples import SMALL, settings_of
from tests.ops.hosts import access

MARK = {"since": 1_796_000_000, "by": "ann", "reason": "resize", "refusing": True}
NOTHING = dict.fromkeys(("mail", "sending", "leaving", "events", "held", "segments", "busy"), 0)


def counts(**more: int) -> dict[str, int]:
    return NOTHING | more


def step(waits: str = "", away: tuple[str, ...] = (), **more: int) -> dict[str, Any]:
    return {
        "draining": MARK,
        "counts": counts(**more),
        "waits": waits,
        "done": not waits,
        "away": list(away),
    }


def node(name: str, address: str) -> HostAccess:
    return replace(access(name), role="mta", private_address=address)


@dataclass
class Fleet:
    """MTA hosts and a proxy host, and what their agents answer."""

    hosts: dict[str, HostAccess] = field(
        default_factory=lambda: {
            "mta-1": node("mta-1", "10.8.0.11"),
            "mta-2": node("mta-2", "10.8.0.12"),
            "proxy-1": access("proxy-1"),
        }
    )
    shows: dict[str, Any] = field(default_factory=dict)
    steps: list[Any] = field(default_factory=lambda: [step()])
    backs: list[Any] = field(default_factory=list)
    asked: list[tuple[str, list[str]]] = field(default_factory=list)

    @property
    def mta_hosts(self) -> list[HostAccess]:
        return [host for host in self.hosts.values() if host.role == "mta"]

    def host(self, name: str) -> HostAccess:
        return Deployment(
            stack="prod", settings=settings_of(SMALL), hosts=self.hosts, egress={}
        ).host(name)

    def ssh_json(self, host: HostAccess, verb: list[str], **_options: object) -> Any:
        self.asked.append((host.name, verb))
        answer: Any = {"draining": None, "healthy": True}
        if verb[1] in ("step", "back"):
            answer = {"step": self.steps, "back": self.backs}[verb[1]].pop(0)
        elif verb[1] == "show":
            answer = self.shows.get(host.name, answer)
            answer = answer() if callable(answer) else answer
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def verbs(self, name: str) -> list[str]:
        return [verb[1] for host, verb in self.asked if host == name]


Ping8 = Callable[..., Result]


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    found = Fleet()
    monkeypatch.setattr(drain, "read_deployment", lambda _stack: found)
    monkeypatch.setattr(drain, "ssh_json", found.ssh_json)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return found


@pytest.fixture
def ping8() -> Iterator[Ping8]:
    def run(*words: str) -> Result:
        arguments = ["drain", *words, "--stack", "prod", "--yes"]
        return CliRunner().invoke(build(), arguments)

    yield run


def test_the_steps_are_repeated_with_the_other_nodes_until_it_is_empty(
    fleet: Fleet, ping8: Ping8
) -> None:
    fleet.steps = [
        step("mail to be transferred", mail=5000),
        step("the other nodes to take messages", leaving=4000, events=1000),
        step(),
    ]
    result = ping8("mta-1", "--reason", "resize")
    assert result.exit_code == 0, result.output
    begin, *steps = [verb for host, verb in fleet.asked if host == "mta-1"]
    assert begin[:3] == ["drain", "begin", "--by"]
    assert begin[4:] == ["--reason", "resize"]
    assert steps == [["drain", "step", "--to", "10.8.0.12"]] * 3
    assert "mta-1: 5,000 messages queued; waits for mail to be transferred" in result.output
    assert "4,000 on their way to other nodes, 1,000 events queued" in result.output
    assert "ping8 drain mta-1 --back --stack prod" in result.output


def test_the_last_healthy_node_is_drained_only_on_request(fleet: Fleet, ping8: Ping8) -> None:
    fleet.shows = {"mta-2": {"draining": MARK, "healthy": False}}
    result = ping8("mta-1")
    assert isinstance(result.exception, UserError)
    said = str(result.exception)
    assert "no other MTA host can take injections" in said
    assert "mta-2 drains since 2026-11-30 00:53 UTC by ann: resize" in said
    assert fleet.verbs("mta-1") == []
    assert ping8("mta-1", "--last-node").exit_code == 0


@pytest.mark.parametrize(
    "answer", [{"draining": None, "healthy": False}, UserError("mta-2 (198.18.0.1): no SSH")]
)
def test_a_node_that_is_unhealthy_or_away_cannot_take_over(
    fleet: Fleet, ping8: Ping8, answer: Any
) -> None:
    fleet.shows = {"mta-2": answer}
    assert "mta-2" in str(ping8("mta-1").exception)


def test_a_node_that_cannot_take_over_is_named_if_another_can(fleet: Fleet, ping8: Ping8) -> None:
    fleet.hosts["mta-3"] = node("mta-3", "10.8.0.13")
    fleet.shows = {"mta-3": UserError("mta-3 (198.18.0.1): no SSH connection")}
    result = ping8("mta-1")
    assert result.exit_code == 0
    assert "warning: mta-3 (198.18.0.1): no SSH connection; it takes nothing over" in result.stderr
    assert fleet.asked[-1][1] == ["drain", "step", "--to", "10.8.0.12"]


def test_an_unknown_host_and_the_only_one_are_refused_before_anything_is_asked_of_them(
    fleet: Fleet, ping8: Ping8
) -> None:
    assert "mta-9" in str(ping8("mta-9").exception)
    del fleet.hosts["mta-2"]
    said = str(ping8("mta-1").exception)
    assert "PING8 could send nothing" in said
    assert "--last-node" in said
    assert fleet.asked == []


def test_a_single_node_refuses_at_once_and_waits_until_its_mail_is_sent(
    fleet: Fleet, ping8: Ping8
) -> None:
    del fleet.hosts["mta-2"]
    fleet.steps = [step("mail to be sent", mail=7), step()]
    result = ping8("mta-1", "--last-node")
    assert "PING8 CAN SEND NOTHING" in result.output
    assert fleet.asked[0][1][-1] == "--at-once"
    assert fleet.asked[1][1] == ["drain", "step"]


def test_a_host_that_restarts_is_waited_for(fleet: Fleet, ping8: Ping8) -> None:
    lost = UserError("mta-1 (198.18.0.1): no SSH connection")
    fleet.steps = [lost, lost, step()]
    assert ping8("mta-1").exit_code == 0
    fleet.steps = [lost] * 9
    result = ping8("mta-1")
    assert "it keeps draining" in str(result.exception)


def test_nodes_are_asked_again_if_one_takes_nothing(fleet: Fleet, ping8: Ping8) -> None:
    fleet.hosts["mta-3"] = node("mta-3", "10.8.0.13")
    fleet.steps = [step("mail to be transferred", ("10.8.0.13",), mail=1), step()]
    assert "no connection to 10.8.0.13" in ping8("mta-1").output
    assert fleet.verbs("mta-3") == ["show", "show", "show"]


def test_a_node_that_begins_to_drain_itself_gets_nothing_more(fleet: Fleet, ping8: Ping8) -> None:
    fleet.hosts["mta-3"] = node("mta-3", "10.8.0.13")
    fleet.steps = [step("the other nodes to take messages", leaving=1) for _ in range(20)]
    fleet.steps.append(step())
    answers = iter([{"draining": None, "healthy": True}] * 2)
    fleet.shows = {"mta-3": lambda: next(answers, {"draining": MARK, "healthy": False})}
    assert ping8("mta-1").exit_code == 0
    steps = [verb for host, verb in fleet.asked if host == "mta-1"]
    assert steps[1][3:] == ["10.8.0.12", "--to", "10.8.0.13"]
    assert steps[-1][3:] == ["10.8.0.12"]


def test_a_drain_that_somebody_took_back_ends_the_command(fleet: Fleet, ping8: Ping8) -> None:
    back: dict[str, Any] = {
        "draining": None,
        "counts": None,
        "waits": "",
        "done": False,
        "away": [],
    }
    fleet.steps = [step("mail to be transferred", mail=1), back]
    assert str(ping8("mta-1").exception) == "mta-1: somebody took the drain back"


def test_stopping_says_that_it_keeps_draining(fleet: Fleet, ping8: Ping8) -> None:
    fleet.steps = [step("mail to be transferred", mail=1), KeyboardInterrupt()]
    result = ping8("mta-1")
    assert result.exit_code != 0
    assert "mta-1 keeps draining" in result.output
    assert "--back" in result.output


def test_a_drain_is_taken_back_until_nothing_is_on_its_way(fleet: Fleet, ping8: Ping8) -> None:
    fleet.backs = [{"draining": None, "counts": counts(leaving=n)} for n in (40, 3, 0)]
    result = ping8("mta-1", "--back")
    assert result.exit_code == 0
    assert fleet.verbs("mta-1") == ["back"] * 3
    assert "takes injections again" in result.output


def test_a_drain_is_taken_back_while_kumod_is_away(fleet: Fleet, ping8: Ping8) -> None:
    fleet.backs = [{"draining": None, "counts": None, "waits": "kumod: refused"}] * 11
    result = ping8("mta-1", "--back")
    assert result.exit_code == 0
    assert "takes injections when kumod answers (kumod: refused)" in result.output


def test_json_is_one_line_with_the_seconds(fleet: Fleet, ping8: Ping8) -> None:
    fleet.steps = [step("requests in flight", busy=1), step()]
    found = json.loads(ping8("mta-1", "--json").stdout)
    assert (found["done"], found["counts"]["mail"]) == (True, 0)
    assert found["seconds"] >= 0


def test_a_proxy_host_is_not_drained(fleet: Fleet, ping8: Ping8) -> None:
    assert "only an MTA host" in str(ping8("proxy-1").exception)
    assert fleet.asked == []


def test_the_estimate_follows_the_counts() -> None:
    estimate = drain.Estimate()
    assert estimate.seconds() is None
    estimate.add(0.0, counts(mail=1000))
    estimate.add(10.0, counts(mail=600, events=200))
    assert estimate.seconds() == 40.0
    estimate.add(20.0, counts(mail=1200))
    assert estimate.seconds() is None


def test_the_table_has_every_count() -> None:
    table = drain._table("mta-1", step("requests in flight", mail=5000), drain.Estimate())
    assert table.row_count == 7
