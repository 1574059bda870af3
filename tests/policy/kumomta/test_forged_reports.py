"""Bounces and complaints that strangers make up: events, but marked."""

import base64
import email
import email.policy
import json
from collections.abc import Callable
from typing import Any

import pytest

from policy.limits import SMTP_MESSAGES_PER_MINUTE
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import Mta
from tests.policy.kumomta.reports import bounce, complaint
from tests.policy.kumomta.test_reports import VERIFIED, sent_message

Host = Callable[..., Mta]


def trace_of(mta: Mta, **headers: str) -> dict[str, Any]:
    """The trace header that we made: kumod puts one of its own in front of it."""
    original = email.message_from_bytes(sent_message(mta, **headers), policy=email.policy.default)
    trace: dict[str, Any] = json.loads(base64.b64decode(original.get_all("X-KumoRef", [])[-1]))
    return trace


def returned(*traces: dict[str, Any], more: bytes = b"") -> bytes:
    headers = (b"X-KumoRef: " + base64.b64encode(json.dumps(t).encode()) + b"\r\n" for t in traces)
    return b"".join(headers) + more


def event_of(mta: Mta, block: bytes) -> dict[str, Any]:
    assert mta.kumod.receive_smtp("", ["7@bounce.example.com"], bounce(block)).code == 250
    mta.kumod.run()
    event: dict[str, Any] = mta.events("OOB")[-1]
    return event


def test_a_returned_trace_header_proves_its_values(mta: Mta) -> None:
    headers = event_of(mta, returned(trace_of(mta)))["headers"]
    assert headers == {name: VERIFIED[name] for name in VERIFIED if name != "Subject"}
    assert headers["verified"] is True


@pytest.mark.parametrize(
    "change",
    [
        {"recipient": "somebody@else.example"},
        {"X-PING8-Recipient-Id": "another"},
        {"X-PING8-Recipient-Id": None},
        {"ping8_mac": None},
        {"ping8_mac": ""},
        {"ping8_mac": "0" * 32},
        {"ping8_mac": True},
        {"recipient": ["u@example.net"]},
        {"recipient": None},
    ],
    ids=str,
)
def test_a_changed_trace_header_proves_nothing_and_makes_an_event(
    mta: Mta, change: dict[str, Any]
) -> None:
    event = event_of(mta, returned(trace_of(mta) | change))
    assert event["headers"]["verified"] is False


def test_values_do_not_run_into_each_other(mta: Mta) -> None:
    """What is moved from one value to the next has another MAC."""
    trace = trace_of(mta)
    first, second = "X-PING8-Campaign-Id", "X-PING8-Task-Id"
    moved = trace | {first: trace[first] + trace[second], second: ""}
    assert event_of(mta, returned(moved))["headers"]["verified"] is False


def test_a_proved_trace_header_takes_no_value_from_beside_it(mta: Mta) -> None:
    trace = trace_of(mta, **{"X-PING8-Campaign-Id": ""})
    forged = {"X-PING8-Campaign-Id": "forged", "recipient": "forged@example.net"}
    beside = b"X-PING8-Campaign-Id: forged\r\n"
    for block in (returned(forged, trace, more=beside), returned(trace, forged, more=beside)):
        headers = event_of(mta, block)["headers"]
        assert headers["verified"] is True
        assert "X-PING8-Campaign-Id" not in headers


def test_a_made_up_complaint_is_marked(mta: Mta) -> None:
    report = complaint(b"From: news@example.com\r\nX-PING8-Recipient-Id: 7\r\n\r\nhello\r\n")
    mta.kumod.receive_smtp("fbl@mailbox.example", ["7@bounce.example.com"], report)
    mta.kumod.run()
    (event,) = mta.events("Feedback")
    assert event["headers"] == {"X-PING8-Recipient-Id": "7", "verified": False}


def test_settings_keep_values_that_are_not_proved_out_of_events(host: Host) -> None:
    mta = host(settings=settings(reception={"report_values": "verified"})).start()
    trace = trace_of(mta)
    forged = event_of(mta, returned(trace | {"X-PING8-Recipient-Id": "another"}))
    assert forged["headers"] == {"verified": False}
    assert forged["recipient"] == "u@example.net"
    assert event_of(mta, returned(trace))["headers"]["X-PING8-Recipient-Id"]


def test_events_about_our_own_deliveries_say_nothing_of_it(mta: Mta) -> None:
    mta.inject()
    mta.kumod.run()
    assert "verified" not in mta.events("Delivery")[0]["headers"]


def test_one_peer_sends_only_so_many_reports_and_others_are_heard(host: Host) -> None:
    mta = host().start()
    report = bounce(b"Subject: x\r\n")

    def codes(peer: str, count: int) -> list[int]:
        to = ["7@bounce.example.com"]
        return [mta.kumod.receive_smtp("", to, report, peer=peer).code for _ in range(count)]

    flood = codes("192.0.2.7", SMTP_MESSAGES_PER_MINUTE + 2)
    assert flood.count(250) == SMTP_MESSAGES_PER_MINUTE
    assert flood[-1] == 451
    assert codes("192.0.2.8", 1) == [250]
    mta.wait(60)
    assert codes("192.0.2.7", 1) == [250]
