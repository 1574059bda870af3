"""The next step of a drain, from counts that the real kumod reported."""

import json
from pathlib import Path
from typing import Any

import pytest

from hostagent.drain.look import of_metrics
from hostagent.drain.plan import AT_ONCE, LEAVES, SETTLES, Counts, assigned, next_step

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("recorded.json").read_text())
"""`/metrics.json` of kumod 2026.08 while it transferred 300 messages and their events."""

B, C = "http://10.77.0.2:8001/", "http://10.77.0.3:8001/"


def recorded(moment: str, **more: Any) -> Counts:
    found = {"segments": 0, "busy": 0, "starting": False} | more
    return of_metrics(RECORDED[moment], **found)


@pytest.mark.parametrize(
    ("moment", "mail", "leaving", "events", "held"),
    [
        ("before", 300, 0, 600, 900),
        ("transfer begins", 0, 284, 633, 1200),
        ("transferring", 0, 204, 972, 1200),
        ("events leave", 0, 1061, 0, 1110),
        ("the other node is away", 16, 24, 128, 168),
        ("empty, but counted", 0, 0, 0, 61),
    ],
)
def test_what_kumod_holds(moment: str, mail: int, leaving: int, events: int, held: int) -> None:
    found = recorded(moment)
    assert (found.mail, found.leaving, found.events, found.held) == (mail, leaving, events, held)


def test_mail_leaves_first_and_the_balancer_needs_time() -> None:
    step = next_step(recorded("before"), [B], refusing=False, age=LEAVES - 1)
    names = tuple(f"c1:shop@d{n}.test" for n in range(5))
    assert (step.refuse, step.transfer) == (False, ((B, names),))
    assert step.waits == "the balancer to choose other nodes"
    assert next_step(recorded("before"), [B], refusing=False, age=LEAVES).refuse


def test_a_clock_that_went_back_does_not_delay_the_refusal() -> None:
    assert next_step(Counts(), [B], refusing=False, age=-3600).refuse


def test_events_leave_when_no_mail_makes_new_ones() -> None:
    assert not next_step(recorded("transferring"), [B], refusing=True, age=60).transfer
    events = Counts(events=1200, held=1200)
    step = next_step(events, [B], refusing=True, age=60)
    assert step.transfer == ((B, ("ping8.log-hook",)),)


def test_what_waits_for_another_try_of_kumod_is_transferred_anew() -> None:
    waits = Counts(transfers={B: 340}, held=340)
    assert next_step(waits, [B], refusing=True, age=60).cancel == (B,)
    moves = Counts(transfers={B: 340}, crossing=2, held=342)
    assert not next_step(moves, [B], refusing=True, age=60).cancel


def test_what_should_go_to_a_node_that_is_away_comes_back_and_goes_to_another() -> None:
    step = next_step(recorded("the other node is away"), [C], refusing=True, age=60)
    assert step.cancel == (B,)
    assert [target for target, _ in step.transfer] == [C]


def test_without_another_node_the_mail_must_be_sent() -> None:
    step = next_step(recorded("before"), [], refusing=True, age=60)
    assert (step.transfer, step.waits) == ((), "mail to be sent")


def test_mail_to_people_and_reports_to_automation_stay() -> None:
    queues = {"ping8.inbox": 3, "http://10.0.0.9:8008.tsa.kumomta": 2, "shop@d.test": 1}
    metrics = {"scheduled_count": {"value": {"queue": queues}}}
    assert of_metrics(metrics, segments=0, busy=0, starting=False).queues == {"shop@d.test": 1}


def test_a_record_for_a_daemon_that_is_away_is_no_mail_that_is_being_sent() -> None:
    queue = "http://10.8.64.10:8008.tsa.kumomta"
    ready = {
        f"lua:unspecified->{queue}@lua:make.{queue}": 3,
        "smtp_client:out-1->mx@smtp_client": 1,
    }
    metrics = {
        "scheduled_count": {"value": {"queue": {queue: 2}}},
        "ready_count": {"value": {"service": ready}},
    }
    found = of_metrics(metrics, segments=0, busy=0, starting=False)
    assert (found.mail, found.sending) == (0, 1)


@pytest.mark.parametrize(
    ("counts", "waits"),
    [
        (Counts(busy=1), "requests in flight"),
        (Counts(sending=1, held=1), "mail to be transferred"),
        (Counts(crossing=1, held=1), "the other nodes to take messages"),
        (Counts(segments=1), "PING8 to take events"),
        (Counts(held=1), SETTLES),
        (Counts(starting=True), "kumod to open its spool"),
    ],
)
def test_a_drain_is_not_done_while_something_is_left(counts: Counts, waits: str) -> None:
    step = next_step(counts, [B], refusing=True, age=60)
    assert (step.done, step.waits) == (False, waits)


def test_a_drain_is_done_when_nothing_is_left() -> None:
    assert next_step(Counts(), [B], refusing=True, age=60).done
    assert not next_step(Counts(), [B], refusing=False, age=0).done


def test_queues_are_shared_out_by_their_size() -> None:
    queues = {"a": 5, "b": 4, "c": 3, "d": 2, "empty": 0}
    assert assigned(queues, [B, C]) == ((B, ("a", "d")), (C, ("b", "c")))


def test_many_queues_take_several_requests() -> None:
    queues = {f"q{n:04}": 1 for n in range(AT_ONCE + 1)}
    assert [len(names) for _, names in assigned(queues, [B])] == [AT_ONCE, 1]
