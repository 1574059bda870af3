"""The outbox: events by way of a local log and a tailer, for volume."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from hostagent.events.record import event_id
from policy.render.data import OUTBOX_COMMAND
from standins.kumod import FakeClock, HttpFailure, HttpRequest, HttpResponse, PolicyError
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import CORRELATION, Mta, answer, take
from tests.policy.kumomta.reports import bounce, complaint, header_block

Host = Callable[..., Mta]
OUTBOX = "/var/spool/kumomta/ping8/outbox"


def outbox(host: Host, *, batch_size: int = 50, **options: Any) -> Mta:
    webhook = {
        "url": "https://app.example.com/e",
        "transport": "outbox",
        "batchSize": batch_size,
    }
    return host(settings=settings(webhook=webhook), **options).start()


def tail(mta: Mta) -> list[HttpRequest]:
    """Runs the tailer's service until it has nothing more to read; what it posted."""
    tailer = mta.new_kumod("outbox.lua")
    tailer.script()
    return tailer.http_requests


def posted(requests: list[HttpRequest]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for request in requests:
        body = json.loads(request.body)
        found += body if isinstance(body, list) else [body]
    return found


def segments(mta: Mta) -> list[str]:
    return sorted(p.name for p in mta.path(OUTBOX).iterdir() if not p.name.startswith("."))


def inject(mta: Mta, count: int) -> None:
    for _ in range(count):
        mta.inject()
    mta.kumod.advance(3)


def test_the_service_runs_the_tailers_own_script() -> None:
    assert "--script --policy /opt/kumomta/etc/policy/outbox.lua" in OUTBOX_COMMAND


def test_the_tailer_posts_what_the_log_hook_would_have(host: Host) -> None:
    mta = outbox(host)
    inject(mta, 2)
    assert mta.posts() == [], "no log hook"
    events = posted(tail(mta))
    assert [event["type"] for event in events] == ["Reception", "Reception", "Delivery", "Delivery"]
    for event in events:
        identifier = event.pop("X-PING8-Event-Id")
        assert identifier == event_id(event)
        assert event["headers"] == {"Subject": "Hello", **CORRELATION}
        assert event["meta"] == {}
        assert event["feedback_report"] is None, "nulls stay"


def test_bounces_are_attributed_and_inbound_receptions_left_out(host: Host) -> None:
    mta = outbox(host)
    inject(mta, 1)
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], bounce(header_block(mta.sent[0].data)))
    mta.kumod.receive_smtp("x@y.example", ["x@y.example"], b"")
    mta.kumod.advance(3)
    events = posted(tail(mta))
    assert [event["type"] for event in events] == ["Reception", "Delivery", "OOB"]
    assert events[-1]["headers"] == {"Subject": "Hello", **CORRELATION}


def test_a_report_too_long_for_the_tailer_is_shortened_and_holds_nothing_up(host: Host) -> None:
    mta = outbox(host)
    inject(mta, 1)
    original = header_block(mta.sent[0].data) + b"\r\n" + b'long "<\x01>"' * 50_000
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], complaint(original))
    inject(mta, 1)
    events = posted(tail(mta))
    assert [event["type"] for event in events].count("Delivery") == 2, "also what came after it"
    (report,) = [event for event in events if event["type"] == "Feedback"]
    assert report["headers"] == {"Subject": "Hello", **CORRELATION}
    assert report["feedback_report"]["feedback_type"] == "abuse"
    assert report["feedback_report"]["truncated"] is True
    assert len(report["feedback_report"]["original_message"]) == 8000


def test_what_was_taken_is_not_posted_again_after_a_restart(host: Host) -> None:
    mta = outbox(host)
    inject(mta, 1)
    assert len(posted(tail(mta))) == 2
    assert tail(mta) == []
    inject(mta, 1)
    assert len(posted(tail(mta))) == 2


def test_a_crash_before_the_checkpoint_repeats_events_and_loses_none(host: Host) -> None:
    mta = outbox(host, batch_size=1)
    inject(mta, 2)
    taken: list[bytes] = []

    def receiver(request: HttpRequest) -> HttpResponse:
        if len(taken) == 2:
            return HttpResponse(status=503)
        taken.append(request.body)
        return HttpResponse(status=200)

    class Crash(FakeClock):
        def sleep(self, seconds: float) -> None:
            raise RuntimeError("the power went")

    mta.receiver = receiver
    mta.options = {"clock": Crash(mta.kumod.clock.now())}
    with pytest.raises(PolicyError, match="the power went"):
        tail(mta)
    mta.options = {}
    mta.receiver = take
    again = [request.body for request in tail(mta)]
    assert len(again) == 4
    assert set(taken) < set(again)


def test_segments_are_deleted_once_everything_in_them_was_taken(host: Host) -> None:
    mta = outbox(host)
    for _ in range(3):
        inject(mta, 1)
    written = segments(mta)
    assert len(written) >= 3
    tail(mta)
    assert segments(mta) == written[-1:]


def test_the_tailer_waits_with_growing_pauses_while_ping8_is_away(host: Host) -> None:
    mta = outbox(host)
    inject(mta, 1)
    moments: list[float] = []
    tailer = mta.new_kumod("outbox.lua")
    answers: Iterator[HttpResponse | None] = iter(
        [HttpResponse(status=503), None, HttpResponse(status=401), HttpResponse(status=200)]
    )

    def receiver(_request: HttpRequest) -> HttpResponse:
        moments.append(tailer.clock.now())
        response = next(answers)
        if response is None:
            raise HttpFailure("connection refused")
        return response

    mta.receiver = receiver
    tailer.script()
    assert [later - earlier for earlier, later in pairwise(moments)] == [60, 120, 240]
    assert mta.dead_letters() == []


def test_what_ping8_refuses_and_what_grows_too_old_goes_to_the_dead_letters(host: Host) -> None:
    mta = outbox(host, receiver=answer(422, b"no"))
    inject(mta, 1)
    tail(mta)
    assert [letter["answer"] for letter in mta.dead_letters()] == ["422 no"] * 2
    inject(mta, 1)
    mta.receiver = answer(503, b"away")
    tail(mta)
    assert [letter["answer"] for letter in mta.dead_letters()][2:] == ["503 away"] * 2


def test_events_still_in_the_webhook_queue_are_delivered_after_a_change_of_transport(
    host: Host,
) -> None:
    mta = host(receiver=answer(503)).start()
    mta.inject()
    mta.kumod.run()
    left = mta.kumod
    mta.settings = settings(
        webhook={"url": "https://app.example.com/e", "transport": "outbox", "batchSize": 50}
    )
    mta.write_files()
    mta.receiver = take
    mta.options = {"spool": left.spool, "clock": left.clock}
    mta.kumod = mta.new_kumod()
    mta.start()
    mta.wait(3600)
    assert {event["type"] for event in mta.events()} == {"Reception", "Delivery"}
