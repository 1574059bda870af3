"""The outbox: events by way of a local log and the host agent's service, for volume."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hostagent.events.outbox import Outbox, Places, Stopped
from hostagent.events.record import event_id
from tests.hostagent.events.receiver import Receiver
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import CORRELATION, TOKEN, Mta, answer
from tests.policy.kumomta.reports import bounce, complaint, header_block

Host = Callable[..., Mta]
OUTBOX = "/var/spool/kumomta/ping8/outbox"
WEBHOOK = {"url": "https://app.example.com/e", "transport": "outbox", "batchSize": 50}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def outbox(host: Host, **options: Any) -> Mta:
    return host(settings=settings(webhook=WEBHOOK), **options).start()


def empty(mta: Mta, receiver: Receiver, *, left_open: bool = False) -> list[dict[str, Any]]:
    """Runs the service until nothing is ready; the events that it posted."""
    moments = iter((0.0, 1e6)) if left_open else None
    service = Outbox(
        Places(
            outbox=mta.path(OUTBOX),
            store=mta.path("/var/spool/kumomta/ping8/dead-letters.sqlite"),
            settings=mta.path("/opt/kumomta/etc/policy/data/webhook.json"),
        ),
        {"PING8_WEBHOOK_TOKEN": TOKEN, "PING8_WEBHOOK_URL": receiver.url},
        now=mta.kumod.clock.now,
        pause=_no_waiting,
        elapsed=lambda: next(moments) if moments else 0.0,
    )
    receiver.posts.clear()
    service.work()
    return receiver.events()


def _no_waiting(seconds: float) -> None:
    if seconds:
        raise Stopped


def segments(mta: Mta) -> list[str]:
    return sorted(p.name for p in mta.path(OUTBOX).iterdir() if p.is_file())


def inject(mta: Mta, count: int) -> None:
    for _ in range(count):
        mta.inject()
    mta.kumod.advance(3)


def test_it_posts_what_the_log_hook_would_have(host: Host, receiver: Receiver) -> None:
    mta = outbox(host)
    inject(mta, 2)
    assert mta.posts() == [], "no log hook"
    events = empty(mta, receiver)
    assert [event["type"] for event in events] == ["Reception", "Reception", "Delivery", "Delivery"]
    for event in events:
        identifier = event.pop("X-PING8-Event-Id")
        assert identifier == event_id(event)
        assert event["headers"] == {"Subject": "Hello", **CORRELATION}
        assert event["meta"] == {}
        assert event["feedback_report"] is None, "nulls stay"
    assert empty(mta, receiver) == [], "once"


def test_bounces_are_attributed_and_inbound_receptions_left_out(
    host: Host, receiver: Receiver
) -> None:
    mta = outbox(host)
    inject(mta, 1)
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], bounce(header_block(mta.sent[0].data)))
    mta.kumod.receive_smtp("x@y.example", ["x@y.example"], b"")
    mta.kumod.advance(3)
    events = empty(mta, receiver)
    assert [event["type"] for event in events] == ["Reception", "Delivery", "OOB"]
    assert events[-1]["headers"] == {"Subject": "Hello", **CORRELATION, "verified": True}


def test_a_report_is_whole_however_long_it_is(host: Host, receiver: Receiver) -> None:
    mta = outbox(host)
    inject(mta, 1)
    original = header_block(mta.sent[0].data) + b"\r\n" + b'long "<\x01>"' * 50_000
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], complaint(original))
    inject(mta, 1)
    events = empty(mta, receiver)
    assert [event["type"] for event in events].count("Delivery") == 2, "also what came after it"
    (report,) = [event for event in events if event["type"] == "Feedback"]
    assert report["headers"] == {"Subject": "Hello", **CORRELATION, "verified": True}
    assert len(report["feedback_report"]["original_message"]) > 200_000


def crashed(mta: Mta) -> None:
    """Kills kumod and starts it again, with the settings of now."""
    left = mta.kumod
    mta.write_files()
    mta.options = {"clock": left.clock}
    mta.kumod = mta.new_kumod()
    mta.start()


def test_a_killed_kumod_loses_the_last_half_second_of_events_and_no_mail(
    host: Host, receiver: Receiver
) -> None:
    mta = outbox(host)
    inject(mta, 2)
    mta.inject()
    mta.kumod.run()
    crashed(mta)
    events = empty(mta, receiver)
    assert [event["type"] for event in events].count("Delivery") == 2, "of three"
    assert len(list((mta.path(OUTBOX) / "damaged").iterdir())) == 1, "which is told"


def test_a_stopped_kumod_loses_none(host: Host, receiver: Receiver) -> None:
    mta = outbox(host)
    inject(mta, 2)
    mta.inject()
    mta.kumod.run()
    mta.kumod.stop()
    assert [event["type"] for event in empty(mta, receiver)].count("Delivery") == 3


def test_what_lies_in_the_outbox_is_delivered_after_a_change_to_the_log_hook(
    host: Host, receiver: Receiver
) -> None:
    mta = outbox(host)
    inject(mta, 1)
    mta.inject()
    mta.kumod.run()
    mta.settings = settings()
    mta.kumod.stop()
    crashed(mta)
    assert [event["type"] for event in empty(mta, receiver)].count("Delivery") == 2
    assert segments(mta) == [".position"]


def test_events_still_in_the_webhook_queue_are_delivered_after_a_change_to_the_outbox(
    host: Host,
) -> None:
    mta = host(receiver=answer(503)).start()
    mta.inject()
    mta.kumod.run()
    mta.settings = settings(webhook=WEBHOOK)
    mta.receiver = answer(200)
    crashed(mta)
    mta.wait(3600)
    assert {event["type"] for event in mta.events()} == {"Reception", "Delivery"}
