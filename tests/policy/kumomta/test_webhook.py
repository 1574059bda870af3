"""Events to PING8: whatever its endpoint answers, each is delivered or a dead letter."""

import http.client
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from hostagent.events.forwarder import Forwarder
from hostagent.events.record import event_id
from hostagent.events.webhook import Webhook
from policy.contract import FORWARDER
from standins.kumod import FakeClock, HttpFailure, HttpRequest, HttpResponse, SmtpAttempt, SmtpReply
from tests.hostagent.events.receiver import Receiver as Endpoint
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import CORRELATION, QUEUE, TOKEN, Mta, Receiver, answer, take

Host = Callable[..., Mta]
DAY = 86_400
RARELY = {"retryInterval": "30m", "maxRetryInterval": "12h"}
RETRIED = [300, 301, 304, 401, 403, 408, 421, 425, 429, 500, 502, 503, 504, 507, 599]
REFUSED = [400, 402, 404, 405, 406, 409, 410, 411, 413, 415, 422, 451, 499]


def fail(reason: str) -> Receiver:
    """A receiver that never answers: reset, refused, or hanging beyond the time-out."""

    def receiver(_request: HttpRequest) -> HttpResponse:
        raise HttpFailure(reason)

    return receiver


def torn(_request: HttpRequest) -> HttpResponse:
    """A receiver whose answer breaks off."""
    return HttpResponse(status=200, body=b"o", truncated=True)


def webhook(**chosen: Any) -> Any:
    return settings(webhook={"url": "https://app.example.com/api/kumo/events", **chosen})


def in_queue(mta: Mta) -> int:
    return len([m for m in mta.kumod.scheduler.waiting() if m.queue_name() == QUEUE])


def accounted_for(mta: Mta, taken: list[dict[str, Any]]) -> None:
    """Every event of the run was taken, is buried, or still waits: none is lost."""
    made = {event_id(record) for record in mta.kumod.records if wanted(record)}
    known = {event_id(record) for record in taken}
    known |= {letter["event_id"] for letter in mta.dead_letters()}
    known |= {
        m.meta["ping8_event_id"] for m in mta.kumod.scheduler.waiting() if "log_record" in m.meta
    }
    assert made <= known
    assert not mta.kumod.records_of("Bounce", queue=QUEUE)
    assert not mta.kumod.records_of("Expiration", queue=QUEUE)


def wanted(record: dict[str, Any]) -> bool:
    if record["reception_protocol"] == "LogRecord" or record["type"] == "Rejection":
        return False
    return bool(record["type"] != "Reception" or record["reception_protocol"] == "HTTP")


def test_a_call_is_what_the_contract_says(mta: Mta) -> None:
    mta.inject()
    mta.kumod.run()
    request = mta.posts()[0]
    headers = dict(request.headers)
    assert (request.method, request.url) == ("POST", FORWARDER)
    assert headers["content-type"] == "application/json"
    assert headers["x-ping8-kumo-token"] == TOKEN
    record = json.loads(request.body)
    assert record["headers"] == {"Subject": "Hello", **CORRELATION}
    assert record["feedback_report"] is None, "nulls stay"
    assert headers["x-ping8-event-id"] == event_id(record)


def test_one_client_serves_all_events_of_a_sender(mta: Mta) -> None:
    for _ in range(20):
        mta.inject()
    mta.kumod.run()
    assert len(mta.posts()) == 40
    assert mta.kumod.counters["kumo.http.build_client"] <= 2


def test_every_fate_of_a_message_reaches_ping8(host: Host) -> None:
    replies = {
        "delivered@example.net": SmtpReply(code=250, content="2.0.0 ok"),
        "bounced@example.net": SmtpReply(code=550, content="5.1.1 no such user"),
        "deferred@example.net": SmtpReply(code=451, content="4.7.1 later"),
    }

    def exchanger(attempt: SmtpAttempt) -> SmtpReply:
        return replies[attempt.recipient]

    mta = host(exchanger=exchanger).start()
    mta.inject(recipients=tuple(replies))
    mta.wait(8 * DAY)
    fates = Counter((event["type"], event["recipient"].split("@")[0]) for event in mta.events())
    assert fates["Delivery", "delivered"] == 1
    assert fates["Bounce", "bounced"] == 1
    assert fates["TransientFailure", "deferred"] > 5
    assert fates["Expiration", "deferred"] == 1
    ids = [dict(request.headers)["x-ping8-event-id"] for request in mta.posts()]
    assert len(ids) == len(set(ids))
    accounted_for(mta, mta.events())


@pytest.mark.parametrize("status", RETRIED)
def test_an_answer_that_time_can_fix_is_retried_until_the_event_is_taken(
    host: Host, status: int
) -> None:
    mta = host(receiver=answer(status, b"no")).start()
    mta.inject()
    mta.wait(3600)
    assert len(mta.posts()) > 4
    assert mta.dead_letters() == []
    mta.receiver = take
    mta.wait(3600)
    assert in_queue(mta) == 0
    accounted_for(mta, mta.events())


@pytest.mark.parametrize(
    "receiver",
    [
        fail("connection reset by peer"),
        fail("connection refused"),
        fail("operation timed out"),
        torn,
    ],
)
def test_a_connection_that_fails_is_retried(host: Host, receiver: Receiver) -> None:
    mta = host(receiver=receiver).start()
    mta.inject()
    mta.wait(3600)
    assert in_queue(mta) == 2
    assert mta.dead_letters() == []
    mta.receiver = take
    mta.wait(3600)
    assert in_queue(mta) == 0


@pytest.mark.parametrize("status", REFUSED)
def test_any_other_answer_makes_a_dead_letter_with_the_answer(host: Host, status: int) -> None:
    mta = host(receiver=answer(status, b"no such campaign\r\nX: y")).start()
    mta.inject()
    mta.kumod.run()
    assert in_queue(mta) == 0
    letters = mta.dead_letters()
    assert [letter["answer"] for letter in letters] == [f"{status} no such campaign X: y"] * 2
    for letter, request in zip(letters, mta.posts(), strict=True):
        assert letter["record"].encode() == request.body
        assert letter["event_id"] == dict(request.headers)["x-ping8-event-id"]
    accounted_for(mta, [])


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_delivery(host: Host, status: int) -> None:
    mta = host(receiver=answer(status)).start()
    mta.inject()
    mta.kumod.run()
    assert in_queue(mta) == 0
    assert mta.dead_letters() == []


@pytest.mark.parametrize(
    ("body", "delivered"),
    [
        (b'{"success": true}', True),
        (b'{"success": null}', True),
        (b"{}", True),
        (b'{"success": false}', False),
        (b'{"success": "database is down"}', False),
        (b'{"success": {"code": 7}}', False),
        (b"<html>Maintenance</html>", False),
        (b"", False),
        (b"[]", True),
    ],
)
def test_a_body_that_says_failure_counts_as_failure(
    host: Host, body: bytes, delivered: bool
) -> None:
    mta = host(settings=webhook(failureField="success"), receiver=answer(200, body)).start()
    mta.inject()
    mta.kumod.run()
    assert in_queue(mta) == (0 if delivered else 2)
    assert mta.dead_letters() == []


def test_an_event_has_the_same_id_over_all_retries(host: Host) -> None:
    mta = host(receiver=answer(503)).start()
    mta.inject()
    mta.wait(2 * 3600)
    attempts = Counter(dict(request.headers)["x-ping8-event-id"] for request in mta.posts())
    assert len(attempts) == 2
    assert min(attempts.values()) > 4


def test_an_event_is_retried_for_seven_days_and_then_becomes_a_dead_letter(host: Host) -> None:
    mta = host(settings=webhook(**RARELY), receiver=answer(503, b"still down")).start()
    mta.inject()
    mta.wait(7 * DAY)
    assert (in_queue(mta), mta.dead_letters()) == (2, [])
    mta.wait(DAY)
    assert in_queue(mta) == 0
    assert [letter["answer"] for letter in mta.dead_letters()] == ["503 still down"] * 2
    accounted_for(mta, [])


def test_kumod_itself_never_expires_an_event(host: Host) -> None:
    mta = host(settings=webhook(**RARELY), receiver=answer(503)).start()
    mta.inject()
    mta.path("/var/spool/kumomta/ping8/dead-letters.sqlite").mkdir()
    mta.wait(60 * DAY)
    assert in_queue(mta) == 2, "the dead letters could not be written, so nothing is handled"
    accounted_for(mta, [])


def test_an_event_that_the_dead_letters_cannot_take_stays_in_the_queue(host: Host) -> None:
    mta = host(receiver=answer(400)).start()
    store = mta.path("/var/spool/kumomta/ping8/dead-letters.sqlite")
    store.mkdir()
    mta.inject()
    mta.wait(3600)
    assert in_queue(mta) == 2
    store.rmdir()
    mta.wait(3600)
    assert in_queue(mta) == 0
    assert len(mta.dead_letters()) == 2


def test_a_dead_letter_is_written_once_however_often_it_is_refused(host: Host) -> None:
    mta = host(receiver=answer(400)).start()
    mta.inject()
    mta.kumod.run()
    (letter, _) = mta.dead_letters()
    mta.wait(DAY)
    assert letter in mta.dead_letters()
    assert len(mta.dead_letters()) == 2


def test_an_event_outlives_a_data_file_that_cannot_be_read(host: Host) -> None:
    mta = host().start()
    mta.inject()
    mta.kumod.run()
    before = len(mta.events())
    path = mta.path("/opt/kumomta/etc/policy/data/webhook.json")
    good = path.read_text()
    path.write_text("{")
    mta.kumod.advance(11)
    mta.inject()
    mta.kumod.run()
    path.write_text(good)
    mta.kumod.advance(3600)
    assert [event["type"] for event in mta.events()[before:]] == ["Reception", "Delivery"]


def test_events_survive_a_crash_of_kumod(host: Host) -> None:
    mta = host(receiver=answer(503)).start()
    mta.inject()
    mta.kumod.run()
    crashed = mta.kumod
    mta.options = {"clock": FakeClock(crashed.clock.now())}
    mta.receiver = take
    mta.kumod = mta.new_kumod()
    mta.start()
    mta.wait(3600)
    assert {event["type"] for event in mta.events()} >= {"Reception", "Delivery"}


def test_no_event_is_about_an_event(host: Host) -> None:
    mta = host(receiver=answer(503)).start()
    mta.inject()
    mta.wait(DAY)
    assert all(event["queue"] != QUEUE for event in mta.events())
    assert len({dict(request.headers)["x-ping8-event-id"] for request in mta.posts()}) == 2


def test_the_token_is_in_no_log_line_even_when_the_receiver_repeats_it(host: Host) -> None:
    mta = host(receiver=answer(400, b"bad token " + TOKEN.encode())).start()
    mta.inject()
    mta.kumod.run()
    mta.receiver = answer(503, TOKEN.encode())
    mta.inject()
    mta.wait(60)
    mta.receiver = fail(f"error sending request with {TOKEN}")
    mta.wait(600)
    mta.kumod.stop()
    everything = json.dumps(
        [
            mta.kumod.records,
            mta.local_logs(),
            mta.kumod.diagnostics,
            mta.kumod.printed,
            mta.dead_letters(),
        ]
    )
    assert TOKEN not in everything
    assert "[token]" in everything


def test_the_webhook_queue_is_not_throttled_by_the_default_shaping(mta: Mta) -> None:
    mta.inject()
    mta.kumod.run()
    (queue,) = [q for q in mta.kumod.scheduler.ready.values() if q.queue_name == QUEUE]
    assert queue.path["connection_limit"] == "local:10"
    assert queue.path["max_message_rate"] == "10000/s"
    assert queue.source["name"] == "unspecified", "events never go through a proxy"


def test_record_types_are_left_out_by_setting(host: Host) -> None:
    mta = host(settings=webhook(leaveOut=["Reception", "TransientFailure"])).start()
    mta.exchanger = lambda _attempt: SmtpReply(code=451, content="later")
    mta.inject()
    mta.wait(600)
    mta.exchanger = lambda _attempt: SmtpReply(code=250, content="ok")
    mta.wait(3600)
    assert [event["type"] for event in mta.events()] == ["Delivery"]


def test_a_redirect_to_a_page_is_no_delivery_where_the_body_must_say_so(host: Host) -> None:
    def site(request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            return HttpResponse(status=302, headers=(("Location", "/login"),))
        return HttpResponse(status=200, body=b"<html>Please log in</html>")

    mta = host(receiver=site, settings=webhook(failureField="success")).start()
    mta.inject()
    mta.kumod.run()
    mta.receiver = answer(200, b'{"success": true}')
    mta.wait(3600)
    taken = [json.loads(request.body)["type"] for request in mta.posts()[-2:]]
    assert sorted(taken) == ["Delivery", "Reception"]


@pytest.mark.parametrize("padding", range(4))
def test_a_long_answer_is_cut_between_two_characters(host: Host, padding: int) -> None:
    body = "x" * padding + "\N{GRINNING FACE}é" * 400
    mta = host(receiver=answer(200, body.encode())).start()
    mta.inject()
    mta.kumod.run()
    for record in mta.kumod.records_of("Delivery", queue=QUEUE):
        text = record["response"]["content"]
        assert f"200 {body}".startswith(text)
        assert 490 < len(text.encode()) <= 500


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_redirect_delivers_no_event_of_the_log_hook_and_the_token_stays(
    host: Host, status: int, elsewhere: bool
) -> None:
    """The real forwarder between the policy and PING8's endpoint."""
    ping8, other = Endpoint(), Endpoint()
    location = {"Location": (other if elsewhere else ping8).url}
    ping8.headers, ping8.answer = location, lambda _body: (status, b"")
    environment = {"PING8_WEBHOOK_TOKEN": TOKEN, "PING8_WEBHOOK_URL": ping8.url}
    forwarder = Forwarder(lambda: Webhook(environment, {}), port=0)
    forwarder.start()

    def forwarded(request: HttpRequest) -> HttpResponse:
        connection = http.client.HTTPConnection("127.0.0.1", forwarder.server_port)
        connection.request(request.method, "/", request.body, dict(request.headers))
        answer = connection.getresponse()
        return HttpResponse(
            status=answer.status, body=answer.read(), headers=tuple(answer.getheaders())
        )

    mta = host(receiver=forwarded).start()
    mta.inject()
    mta.kumod.run()
    assert in_queue(mta) == 2
    assert len(ping8.posts) == 2
    assert not (other.posts or other.gets or ping8.gets)
    ping8.headers, ping8.answer = {}, lambda _body: (200, b"ok")
    mta.wait(3600)
    assert in_queue(mta) == 0
    accounted_for(mta, ping8.events())
    for server in (ping8, other):
        server.close()
    forwarder.shutdown()
    forwarder.server_close()


def test_an_event_that_cannot_be_queued_is_a_dead_letter(host: Host) -> None:
    mta = host()
    broken = mta.path("/opt/kumomta/etc/policy/events.lua")
    text = broken.read_text()
    broken.write_text(text.replace("mod.id(record)", "mod.id(record) error 'no id'", 1))
    mta.start().inject()
    mta.kumod.run()
    assert len(mta.sent) == 1
    letters = mta.dead_letters()
    assert sorted(json.loads(letter["record"])["type"] for letter in letters) == [
        "Delivery",
        "Reception",
    ]
    assert "no id" in letters[0]["answer"]
    assert len({letter["event_id"] for letter in letters}) == 2
