"""Batches of events: arrays for receivers that take them, and one bad event among good ones."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from hostagent.events.dead_letters import Store
from hostagent.events.record import event_id
from standins.kumod import HttpRequest, HttpResponse, PolicyError
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import QUEUE, Mta, answer, take

Host = Callable[..., Mta]
ID = "X-PING8-Event-Id"
STORE = "/var/spool/kumomta/ping8/dead-letters.sqlite"


def batches(host: Host, **options: Any) -> Mta:
    webhook = {"url": "https://app.example.com/e", "batchSize": 10, "maxRetryInterval": "1h"}
    chosen = settings(webhook=webhook)
    return host(settings=chosen, **options).start()


def inject(mta: Mta, count: int) -> None:
    for number in range(count):
        mta.inject(headers={"X-PING8-Task-Id": f"task-{number}"})
    mta.kumod.run()


def in_queue(mta: Mta) -> int:
    return len([m for m in mta.kumod.scheduler.waiting() if m.queue_name() == QUEUE])


def refuse(task: str, status: int = 400) -> Callable[[HttpRequest], HttpResponse]:
    """A receiver that refuses every batch with that task's event in it."""

    def receiver(request: HttpRequest) -> HttpResponse:
        bad = any(e["headers"].get("X-PING8-Task-Id") == task for e in json.loads(request.body))
        return HttpResponse(status=status if bad else 200)

    return receiver


def test_a_batch_is_a_json_array_whose_records_hold_their_event_ids(host: Host) -> None:
    mta = batches(host)
    inject(mta, 10)
    bodies = [json.loads(request.body) for request in mta.posts()]
    assert sum(len(body) for body in bodies) == 20
    assert max(len(body) for body in bodies) == 10
    for event in mta.events():
        identifier = event.pop(ID)
        assert identifier == event_id(event)
        assert event["feedback_report"] is None, "nulls stay"


def test_batches_are_full_while_events_come_and_the_rest_waits_a_second(host: Host) -> None:
    mta = batches(host)
    for number in range(12):
        mta.inject(headers={"X-PING8-Task-Id": f"task-{number}"})
        mta.kumod.advance(0.01)
    assert [len(json.loads(request.body)) for request in mta.posts()] == [10, 10]
    mta.kumod.advance(1)
    assert [len(json.loads(request.body)) for request in mta.posts()] == [10, 10, 4]


def test_an_event_that_comes_to_an_idle_sender_waits_a_second_too(host: Host) -> None:
    mta = batches(host)
    for pause in (0.5, 30):
        before = len(mta.posts())
        inject(mta, 5)
        mta.kumod.advance(pause)
        inject(mta, 1)
        mta.kumod.advance(1.1)
        assert len(mta.posts()) == before + 2


def test_one_event_that_is_refused_does_not_bury_those_beside_it(host: Host) -> None:
    mta = batches(host, receiver=refuse("task-3"))
    inject(mta, 10)
    assert in_queue(mta) == 0
    buried = [json.loads(letter["record"]) for letter in mta.dead_letters()]
    assert {record["headers"]["X-PING8-Task-Id"] for record in buried} == {"task-3"}
    assert {record["type"] for record in buried} == {"Reception", "Delivery"}


def test_a_batch_that_fails_for_now_is_retried_whole(host: Host) -> None:
    mta = batches(host, receiver=answer(503))
    inject(mta, 3)
    assert in_queue(mta) == 6
    assert mta.dead_letters() == []
    mta.receiver = take
    mta.wait(3600)
    assert in_queue(mta) == 0


def test_a_half_that_fails_for_now_keeps_the_batch_and_loses_nothing(host: Host) -> None:
    posts = 0

    def receiver(request: HttpRequest) -> HttpResponse:
        nonlocal posts
        posts += 1
        if posts > 3:
            return HttpResponse(status=503)
        return refuse("task-3")(request)

    mta = batches(host, receiver=receiver)
    inject(mta, 5)
    assert in_queue(mta) > 0
    mta.receiver = refuse("task-3")
    mta.wait(3600)
    assert in_queue(mta) == 0
    taken = {e[ID] for e in mta.events() if e["headers"]["X-PING8-Task-Id"] != "task-3"}
    assert len(taken) == 8
    assert len(mta.dead_letters()) == 2


def test_an_old_event_leaves_a_batch_that_fails_and_new_ones_stay(host: Host) -> None:
    mta = batches(host, receiver=answer(503))
    inject(mta, 1)
    mta.wait(7 * 86_400)
    inject(mta, 1)
    mta.wait(2 * 3600)
    assert len(mta.dead_letters()) == 2
    assert in_queue(mta) >= 2
    before = len(mta.posts())
    mta.receiver = take
    mta.wait(2 * 3600)
    assert in_queue(mta) == 0
    sent = {e[ID] for request in mta.posts()[before:] for e in json.loads(request.body)}
    assert sent.isdisjoint(letter["event_id"] for letter in mta.dead_letters())
    assert len(sent) == 2


def two_events(host: Host) -> tuple[Mta, Callable[[], str]]:
    """A host with two events, the first of them old, and what sends them as one batch."""
    mta = batches(host, receiver=answer(503))
    mta.inject()
    mta.wait(8)
    messages = [m for m in mta.kumod.scheduler.waiting() if m.queue_name() == QUEUE]
    messages[0].meta["ping8_event_time"] -= 8 * 86_400
    context = mta.kumod.pool.get()
    sender = context.call_raw("ping8_webhook_sender", QUEUE, None, None)

    def send() -> str:
        try:
            return str(context.convert.to_python(context.method(sender, "send_batch", messages)))
        except PolicyError as error:
            assert error.kind == "reject"
            return str(error.code)

    return mta, send


def test_an_old_event_that_is_buried_is_not_sent_again_with_the_rest_of_its_batch(
    host: Host,
) -> None:
    mta, send = two_events(host)
    assert send() == "451"
    (letter,) = mta.dead_letters()
    mta.receiver = take
    assert send().startswith("200")
    (event,) = json.loads(mta.posts()[-1].body)
    assert event[ID] != letter["event_id"]


def test_a_batch_of_which_one_half_fails_for_now_is_retried(host: Host) -> None:
    mta, send = two_events(host)
    statuses = iter([400, 503, 200])
    mta.receiver = lambda _request: HttpResponse(status=next(statuses))
    assert send() == "451"


def test_a_batch_that_was_under_way_when_the_size_became_one_goes_out_whole(host: Host) -> None:
    mta, send = two_events(host)
    path = mta.path("/opt/kumomta/etc/policy/data/webhook.json")
    path.write_text(path.read_text().replace('"batch_size": 10', '"batch_size": 1'))
    mta.kumod.bump_epoch()
    mta.receiver = take
    assert send().startswith("200")
    assert len(json.loads(mta.posts()[-1].body)) == 2


def test_an_event_on_which_ping8_fails_leaves_the_batch_and_waits_alone(host: Host) -> None:
    """In the store from where `ping8-outbox.service` tries it on."""
    mta = batches(host, receiver=refuse("task-3", 500))
    for number in range(5):
        mta.inject(headers={"X-PING8-Task-Id": f"task-{number}"})
    mta.kumod.advance(2)
    assert mta.kumod.scheduler.waiting() == [], "no other event waits for it"
    with closing(sqlite3.connect(mta.path(STORE))) as db:
        rows = db.execute("SELECT event_id, due, attempts, record FROM waiting").fetchall()
    assert len(rows) == 2
    for identifier, due, attempts, text in rows:
        assert identifier == event_id(json.loads(text))
        assert (due <= mta.kumod.clock.now(), attempts) == (True, 1)
        assert "task-3" in text
    assert Store(mta.path(STORE)).due(mta.kumod.clock.now(), 1200)[0].record == rows[0][3]


def test_while_ping8_fails_on_everything_the_events_stay_in_the_queue(host: Host) -> None:
    mta = batches(host, receiver=answer(500))
    inject(mta, 3)
    mta.kumod.advance(2)
    assert in_queue(mta) == 6
