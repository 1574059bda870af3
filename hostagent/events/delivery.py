"""Delivers batches of events, as the policy does for the log hook (policy/kumomta/delivery.lua).

An event is handled when PING8 took it, when it is committed as a dead letter, or when it waits
alone in their store; never otherwise.
"""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hostagent.events.dead_letters import Store
from hostagent.events.record import event_time
from hostagent.events.webhook import Answer, Webhook

_ROUNDS_BEFORE_ASIDE = 3
_FAILURES_IN_A_ROW = 12
_LONGEST_POST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Event:
    """One event; `text` is the record as sent to PING8."""

    id: str
    time: int
    text: str


@dataclass
class _Round:
    """One attempt at a batch, which is halved if PING8 rejects something in it.

    Unless it is `thorough`, it ends when PING8 has failed on everything for a while.
    """

    post: Callable[[list[Event]], Answer]
    bury: Callable[[Event, str], None]
    thorough: bool
    answer: Answer | None = None
    took: bool = False
    away: bool = False
    in_a_row: int = 0
    failing: list[Event] = field(default_factory=list)
    rest: list[Event] = field(default_factory=list)

    def settle(self, batch: list[Event]) -> None:
        """Events that are not handled are then in `failing` (to retry alone) or in `rest`."""
        sick = not self.took and not self.thorough and self.in_a_row >= _FAILURES_IN_A_ROW
        if self.away or sick:
            self.rest += batch
            return
        answer = self.post(batch)
        if answer.verdict == "delivered":
            self.took = True
        elif answer.verdict == "retry":
            self.away, self.answer = True, answer
            self.rest += batch
        elif len(batch) > 1:
            self.in_a_row += answer.verdict == "failing"
            middle = len(batch) // 2
            self.settle(batch[:middle])
            self.settle(batch[middle:])
        elif answer.verdict == "refused":
            self.took = True
            self.bury(batch[0], answer.text)
        else:
            self.in_a_row += 1
            self.answer = answer
            self.failing += batch


class Delivery:
    """`pause` waits for some seconds, or raises an exception that ends the program."""

    def __init__(
        self,
        webhook: Webhook,
        store: Store,
        now: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self.webhook = webhook
        self._store = store
        self._now = now
        self._pause = pause

    def deliver(self, batch: list[Event]) -> None:
        """Returns only when every event of the batch is handled."""
        rest = batch
        attempts = rounds = 0
        while rest:
            try:
                one = self._round(rest, thorough=rounds >= _ROUNDS_BEFORE_ASIDE)
                rounds += not one.away
                rest = one.rest + one.failing
                text = one.answer.text if one.answer else ""
                if one.took or one.thorough:
                    for event in one.failing:
                        due = self._now() + self._wait(1)
                        self._store.keep_alone(event.id, event.text, text, due)
                    rest = one.rest
                rest = [event for event in rest if not self._grew_old(event, text)]
            except sqlite3.Error as error:
                text = f"the dead-letter store: {error}"
            if rest:
                attempts += 1
                _say(f"{len(rest)} events wait for PING8 after {attempts} attempts: {text}")
                self._pause(self._wait(attempts))

    def retry_waiting(self) -> None:
        """Retries the single events that are due."""
        for waiting in self._store.due(self._now(), self._setting("max_retry_interval", 1200)):
            time = event_time(json.loads(waiting.record))
            event = Event(waiting.event_id, time, waiting.record)
            answer = self._post([event])
            if answer.taken:
                self._store.taken(event.id)
            elif answer.verdict == "refused":
                self._bury(event, answer.text)
            elif not self._grew_old(event, answer.text):
                if answer.verdict == "retry":
                    return
                tries = waiting.attempts + 1
                due = self._now() + self._wait(tries)
                self._store.keep_alone(event.id, event.text, answer.text, due, tries)

    def _round(self, batch: list[Event], *, thorough: bool) -> _Round:
        one = _Round(post=self._post, bury=self._bury, thorough=thorough)
        for part in parts(batch, int(self._setting("batch_size", 1))):
            one.settle(part)
        return one

    def _post(self, batch: list[Event]) -> Answer:
        self._pause(0)
        return self.webhook.post_all([(event.id, event.text) for event in batch])

    def _bury(self, event: Event, answer: str) -> None:
        self._store.bury(event.id, event.text, answer, self._now())

    def _grew_old(self, event: Event, answer: str) -> bool:
        if self._now() - event.time <= self._setting("max_event_age", 7 * 86400):
            return False
        self._bury(event, answer)
        return True

    def _wait(self, attempts: int) -> float:
        doubled = self._setting("retry_interval", 60) * 2.0 ** min(attempts - 1, 20)
        return min(doubled, self._setting("max_retry_interval", 1200))

    def _setting(self, name: str, otherwise: float) -> float:
        value: Any = self.webhook.settings.get(name, otherwise)
        return float(value)


def parts(batch: list[Event], size: int) -> Iterator[list[Event]]:
    """POSTs with a limited number of events and a limited length."""
    part: list[Event] = []
    length = 0
    for event in batch:
        if part and (len(part) == size or length + len(event.text) > _LONGEST_POST):
            yield part
            part, length = [], 0
        part.append(event)
        length += len(event.text)
    if part:
        yield part


def _say(text: str) -> None:
    print(f"ping8: {text}", file=sys.stderr, flush=True)
