"""Several nodes: how they share limits, who may transfer a message, and which id it keeps.

The stand-in knows no cluster: what kumod does was recorded from two real ones
(`transfer_records.json`), and the policy's own decisions are asked here one by one.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hostagent.events.record import as_event, event_id, is_wanted
from tests.policy.kumomta.mta import Mta
from tests.policy.kumomta.test_traps import hook_message

Host = Callable[..., Mta]
NODES = ["10.8.0.10", "10.8.1.10", "10.8.0.30"]
LISTENER = "10.8.0.10:8001"
RECORDS = json.loads(Path(__file__).with_name("transfer_records.json").read_text())

_PROBES = """
local shared_limits, transfer = require 'shared_limits', require 'transfer'
kumo.on('by_itself', shared_limits.by_itself)
kumo.on('path', function(answers, params)
  shared_limits.answers = function() return answers end
  return shared_limits.apply(params)
end)
kumo.on('daily', function(answers, messages, own)
  shared_limits.answers = function() return answers end
  return { shared_limits.daily('quota', messages, own, function(n) return n .. '/day' end) }
end)
kumo.on('access', function(name)
  kumo.aaa.make_access_control_list = function(rules) return rules end
  local several = { address = '10.8.0.10', transfer = { address = '10.8.0.10:8001' } }
  return transfer.access(several)(name)
end)
kumo.on('configure', function(failure)
  local given
  kumo.configure_redis_throttles = function(params)
    given = params
    if failure == 'slow' and params.connect_timeout == '8s' then return end
    if failure then error(failure) end
  end
  local ok, text = pcall(shared_limits.configure, {
    node = 'rediss://limits.example:6379', username = 'default',
  })
  return { ok = ok, text = text, given = given }
end)
kumo.on('received', transfer.receive)
kumo.on('requeue', function(queue, is_attempt, info)
  local did = {}
  kumo.xfer.cancel_xfer = function() did.cancelled = true end
  transfer.requeue({
    queue_name = function() return queue end,
    get_meta = function(_, name) return name == 'xfer_queue_info' and info or nil end,
    set_scheduling = function(_, schedule) did.schedule = schedule end,
  }, '400 refused', { 'LoggedTransientFailure' }, is_attempt)
  return did
end)
kumo.on('queue', kumo.invoke_get_queue_config)
"""


@pytest.fixture
def asked(host: Host) -> Callable[..., Any]:
    """Asks the policy on a host of three nodes."""
    mta = host(environment={"PING8_LIMITS_PASSWORD": "password-of-the-limits"})
    init = mta.path("/opt/kumomta/etc/policy/init.lua")
    init.write_text(init.read_text() + _PROBES)
    nodes = mta.path("/opt/kumomta/etc/policy/data/nodes.json")
    nodes.write_text(json.dumps({"addresses": NODES}))
    mta.start()
    return mta.kumod.pool.fresh().call


def test_while_the_server_is_away_each_node_keeps_to_its_part(asked: Callable[..., Any]) -> None:
    path = {
        "connection_limit": 10,
        "max_message_rate": "1,000/hr,max_burst=90",
        "max_connection_rate": "2/5min",
        "additional_connection_limits": {"a": 2},
        "additional_message_rate_throttles": {"b": "60/min", "c": "local:7/min"},
        "max_deliveries_per_connection": 100,
    }
    got = asked("path", False, path)
    assert got | {"refresh_strategy": "Ttl", "refresh_interval": "10s"} == got
    assert {name: value for name, value in got.items() if not name.startswith("refresh")} == {
        "connection_limit": "local:3",
        "max_message_rate": "local:333/hr,max_burst=30",
        "max_connection_rate": "local:2/15min",
        "additional_connection_limits": {"a": "local:1"},
        "additional_message_rate_throttles": {"b": "local:20/min", "c": "local:7/min"},
        "max_deliveries_per_connection": 100,
    }


def test_while_it_answers_the_limits_are_those_of_all_nodes(asked: Callable[..., Any]) -> None:
    got = asked("path", True, {"connection_limit": 10, "max_message_rate": "60/min"})
    assert (got["connection_limit"], got["max_message_rate"]) == (10, "60/min")


def test_a_path_without_a_connection_limit_has_a_part_of_kumods_own(
    asked: Callable[..., Any],
) -> None:
    assert asked("by_itself", {}, 3)["connection_limit"] == "local:10"
    assert asked("by_itself", {"connection_limit": "local:5"}, 1)["connection_limit"] == "local:5"


def test_records_for_the_daemon_of_a_removed_node_expire_instead_of_becoming_mail(
    asked: Callable[..., Any],
) -> None:
    assert asked("queue", "http://10.8.0.30:8008.tsa.kumomta")["max_age"] == "1s"
    assert asked("queue", "example.com")["max_age"] == "7d"


@pytest.mark.parametrize("messages", [3, 4, 5, 100, 50_000])
@pytest.mark.parametrize("answers", [True, False])
def test_the_parts_of_a_days_quota_are_the_quota(
    asked: Callable[..., Any], messages: int, answers: bool
) -> None:
    parts = {node: asked("daily", answers, messages, node) for node in NODES}
    prefix = "" if answers else "local:"
    assert len({name for name, _ in parts.values()}) == len(NODES)
    rates = [rate for _, rate in parts.values()]
    assert all(rate.startswith(prefix) and rate.endswith("/day") for rate in rates)
    numbers = [int(rate.removeprefix(prefix).removesuffix("/day")) for rate in rates]
    assert sum(numbers) == messages
    assert max(numbers) - min(numbers) <= 1


def test_fewer_messages_than_nodes_are_shared(asked: Callable[..., Any]) -> None:
    assert [asked("daily", True, 2, node) for node in NODES] == [["quota", "2/day"]] * 3
    assert asked("daily", False, 2, NODES[0]) == ["quota", "local:2/3day"]


def test_the_server_is_asked_with_all_four_time_outs(asked: Callable[..., Any]) -> None:
    given = asked("configure", None)["given"]
    assert {name for name in given if name.endswith("_timeout")} == {
        "connect_timeout",
        "response_timeout",
        "recycle_timeout",
        "wait_timeout",
    }
    assert given["password"] == "password-of-the-limits"
    assert "password" not in given["node"]


def test_a_server_that_answers_late_stops_no_start(asked: Callable[..., Any]) -> None:
    answer = asked("configure", "slow")
    assert answer["ok"]
    assert answer["given"]["wait_timeout"] == "9s"


def test_a_server_that_does_not_answer_is_named_in_one_line_without_the_password(
    asked: Callable[..., Any],
) -> None:
    failure = "building client RedisConnKey { password: Some(password-of-the-limits) }\ntrace\n"
    answer = asked("configure", failure)
    assert not answer["ok"]
    assert "rediss://limits.example:6379, does not answer (" in answer["text"]
    assert "\n" not in answer["text"]
    assert "password-of-the-limits" not in answer["text"]


def test_the_listener_takes_a_transfer_from_the_other_nodes_and_nothing_else(
    asked: Callable[..., Any],
) -> None:
    listener = f"http_listener/{LISTENER}"
    [transfer] = asked("access", f"{listener}/api/xfer/inject/v1")
    assert transfer == {
        "criteria": {"Identity": {"MachineSet": NODES[1:]}},
        "privilege": "POST",
        "access": "Allow",
    }
    rest = asked("access", listener)
    assert {(rule["criteria"]["Identity"], rule["access"]) for rule in rest} == {("Any", "Deny")}
    assert {rule["privilege"] for rule in rest} >= {"GET", "POST", "PUT", "DELETE", "HEAD"}
    for other in ("http_listener/127.0.0.1:8000", "http_listener/*/api/inject", "http_listener"):
        assert asked("access", other) is None


def test_a_message_keeps_its_first_id_over_several_transfers(asked: Callable[..., Any]) -> None:
    message = hook_message({"xfer_prior_id": "first"})
    asked("received", message)
    message.meta["xfer_prior_id"] = "second"
    asked("received", message)
    assert message.meta["first_id"] == "first"


DUE = "2026-11-29T10:31:04.657271890Z"
OTHER = "http://10.8.1.10:8001/.xfer.kumomta.internal"
TIMES = {"dow": "Mon", "tz": "UTC", "start": "09:00:00", "end": "17:00:00"}


@pytest.mark.parametrize(
    ("queue", "is_attempt", "info", "did"),
    [
        (OTHER, True, {"due": DUE}, {"cancelled": True, "schedule": {"first_attempt": DUE}}),
        (OTHER, True, {"num_attempts": 17}, {"cancelled": True}),
        (
            OTHER,
            True,
            {"due": DUE, "schedule": TIMES},
            {"cancelled": True, "schedule": {**TIMES, "first_attempt": DUE}},
        ),
        (OTHER, False, {"due": DUE}, {}),
        ("c1:shop@example.net", True, None, {}),
    ],
)
def test_what_another_node_did_not_take_returns_to_its_queue_due_when_it_was(
    asked: Callable[..., Any],
    queue: str,
    is_attempt: bool,
    info: dict[str, Any] | None,
    did: dict[str, Any],
) -> None:
    assert asked("requeue", queue, is_attempt, info) == did


@pytest.mark.parametrize("case", RECORDS, ids=lambda case: case["what"])
def test_what_two_real_nodes_logged_is_the_same_event_or_none(
    host: Host, case: dict[str, Any]
) -> None:
    """The events are of one message that was injected at one node and moved to another."""
    record = case["record"]
    mta = host().start()
    left_out = {"Rejection": True, "Delayed": True, "XferIn": True, "XferOut": True}
    message = hook_message({"log_record": record})
    wanted = mta.kumod.pool.get().call("should_enqueue_log_record", message, "ping8")
    assert wanted is is_wanted(record, left_out) is case["event"]
    if wanted:
        assert message.meta["ping8_event_id"] == event_id(record) == event_id(as_event(record))
        assert as_event(record)["id"] == case["id"]


def test_every_event_of_the_message_has_the_id_of_its_reception() -> None:
    assert len({case["id"] for case in RECORDS if case["event"]}) == 1
    assert len({case["record"]["id"] for case in RECORDS if case["event"]}) == 2
