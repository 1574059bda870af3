"""What recipients' servers send back about a message reaches PING8 as that message's event."""

import pytest

from sandbox.journey import CORRELATION, await_events, await_message, letter
from sandbox.run import Sandbox
from tests.sandbox.world.reports import send_report

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize(("kind", "event_type"), [("bounce", "OOB"), ("complaint", "Feedback")])
def test_a_report_becomes_an_event_of_its_message(
    sandbox_up: Sandbox, kind: str, event_type: str
) -> None:
    one = letter("news@news.ping8.test", "reader@accept.example")
    assert sandbox_up.ping8.inject(one)[0] == 200
    seen = await_message(sandbox_up.world, one.subject)
    send_report(sandbox_up.world, kind, seen["id"])
    events = await_events(sandbox_up.world, one.subject, {event_type})
    (event,) = (each for each in events if each["type"] == event_type)
    assert event["token_matched"]
    assert CORRELATION.items() <= event["headers"].items()


@pytest.mark.parametrize(
    ("recipient", "event_type"),
    [("nobody@bounce.example", "Bounce"), ("reader@defer.example", "TransientFailure")],
)
def test_a_refusal_becomes_an_event_with_the_recipients_answer(
    sandbox_up: Sandbox, recipient: str, event_type: str
) -> None:
    one = letter("news@news.ping8.test", recipient)
    assert sandbox_up.ping8.inject(one)[0] == 200
    events = await_events(sandbox_up.world, one.subject, {"Reception", event_type})
    (event, *_) = (each for each in events if each["type"] == event_type)
    assert event["response"]["code"] in (451, 550)
    assert CORRELATION.items() <= event["headers"].items()


def test_a_greylisted_message_arrives_at_the_second_attempt(sandbox_up: Sandbox) -> None:
    one = letter("news@news.ping8.test", "reader@greylist.example")
    assert sandbox_up.ping8.inject(one)[0] == 200
    events = await_events(sandbox_up.world, one.subject, {"TransientFailure", "Delivery"})
    assert {str(event["egress_source"]) for event in events if event["type"] == "Delivery"} == {
        "proxy-default"
    }
