"""Log hook, outbox and replay judge alike: one table of cases, run by Lua and by Python."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hostagent.events.record import as_event, event_id, is_wanted
from hostagent.events.webhook import classify
from standins.kumod.message import Message
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import Mta
from tests.policy.kumomta.test_traps import hook_message

Host = Callable[..., Mta]
ANSWERS = json.loads(Path(__file__).with_name("answers.json").read_text())
PROBE = """
local answers = require 'answers'
kumo.on('probe', function(status, body, field) return answers.classify(status, body, field) end)
"""


def judged(mta: Mta, case: dict[str, Any]) -> str:
    """By the policy's own module."""
    init = mta.path("/opt/kumomta/etc/policy/init.lua")
    if PROBE not in init.read_text():
        init.write_text(init.read_text() + PROBE)
    context = mta.kumod.pool.fresh()
    return str(context.call("probe", case["status"], case["body"], case.get("field")))


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: f"{case['status']} {case['body']}")
def test_an_answer_means_the_same(mta: Mta, case: dict[str, Any]) -> None:
    assert classify(case["status"], case["body"], case.get("field")) == case["verdict"]
    assert judged(mta, case) == case["verdict"]


def test_a_body_nested_without_end_says_failure(mta: Mta) -> None:
    case = {"status": 200, "body": "[" * 60_000 + "]" * 60_000, "field": "success"}
    assert classify(200, str(case["body"]), "success") == "failing"
    assert judged(mta, case) == "failing"


RECORDS = [
    {"type": "Delivery"},
    {"type": "Delivery", "reception_protocol": "LogRecord"},
    {"type": "Reception"},
    {"type": "Reception", "reception_protocol": "ESMTP"},
    {"type": "Bounce"},
    {"type": "Rejection"},
    {"type": "OOB", "reception_protocol": "ESMTP", "num_attempts": 2},
    {"type": "Feedback", "recipient": ["a@b.example", "c@d.example"]},
    {"type": "TransientFailure", "event_time": None},
    {"type": "Expiration", "recipient": ""},
    {"type": "Delivery", "queue": "ping8.inbox"},
    # Recorded in 13_deferred_generation.
    {"type": "Delivery", "queue": "generator.kumomta.internal", "recipient": ""},
    {"type": "Rejection", "queue": "ping8.inbox"},
]


@pytest.mark.parametrize("fields", RECORDS, ids=json.dumps)
@pytest.mark.parametrize("leave_out", [["Rejection", "InboundReception"], ["Bounce", "Delivery"]])
def test_an_event_has_one_filter_and_one_id(
    host: Host, fields: dict[str, Any], leave_out: list[str]
) -> None:
    webhook = {"url": "https://app.example.com/e", "leaveOut": leave_out}
    mta = host(settings=settings(webhook=webhook)).start()
    record = {
        "id": "0a1b",
        "queue": "r.example",
        "recipient": "u@example.net",
        "reception_protocol": "HTTP",
        "event_time": "2026-11-01T12:00:00.25Z",
        "timestamp": 1_793_534_400,
        "created_time": "2026-11-01T11:00:00Z",
        "created": 1_793_530_800,
        "num_attempts": 0,
    } | fields
    message: Message = hook_message({"log_record": record})
    context = mta.kumod.pool.get()
    wanted = context.call("should_enqueue_log_record", message, "ping8")
    assert wanted is is_wanted(record, dict.fromkeys(leave_out, True))
    assert not (wanted and "queue" in fields)
    if wanted:
        assert message.meta["ping8_event_id"] == event_id(record)


def test_log_hook_and_replay_send_the_same_body(mta: Mta) -> None:
    mta.inject(headers={"Subject": 'Grüße \\ "x" <b>'})
    mta.kumod.run()
    mta.kumod.stop()
    sent = {event["type"]: event for event in mta.events()}
    logged = [record for record in mta.local_logs() if record["reception_protocol"] == "HTTP"]
    assert {record["type"]: as_event(record) for record in logged} == sent
