"""Scheduled queues: their configuration, retries, expiry, and the way to a ready queue."""

import heapq
import itertools
import random
import threading
from collections.abc import Callable
from typing import Any

from standins.kumod import decisions
from standins.kumod.admin import Rule, Rules
from standins.kumod.durations import Throttle, Throttles, format_duration, parse_throttle
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.logs import Disposition, Response, stamp
from standins.kumod.message import Message, QueueName
from standins.kumod.pool import ContextPool
from standins.kumod.selection import NotReady, ScheduledQueue, SourceSelector

_INTERNAL = (4, 4, 4)
_EXPIRED = (5, 4, 7)


class Scheduler:
    """Holds what waits, and moves it on when its time comes."""

    def __init__(
        self,
        pool: ContextPool,
        selector: SourceSelector,
        throttles: Throttles,
        log: Callable[[Disposition], None],
    ) -> None:
        self._pool = pool
        self._facts = pool.facts
        self._configuration = pool.configuration
        self._selector = selector
        self._throttles = throttles
        self._log = log
        self._heap: list[tuple[float, int, Message]] = []
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._queues: dict[str, ScheduledQueue] = {}
        self.ready = selector.ready
        self.suspensions = Rules()
        self.bounces = Rules()

    # Configuration ----------------------------------------------------------

    def resolve(self, name: str) -> ScheduledQueue:
        """The queue, asking the policy where it is new or due for a refresh."""
        now = self._facts.now()
        queue = self._queues.get(name)
        if queue is not None and not self._stale(queue, now):
            return queue
        context = self._pool.get()
        try:
            fresh = self._ask(context, name, now)
        except (KumoError, PolicyError):
            if queue is None:
                raise
            queue.refreshed = now
            return queue
        self._pool.put(context)
        if queue is not None and queue.pool == fresh.pool:
            fresh.turn = queue.turn
        self._queues[name] = fresh
        return fresh

    def _stale(self, queue: ScheduledQueue, now: float) -> bool:
        if queue.config.get("refresh_strategy") == "Epoch":
            return queue.epoch != self._facts.epoch
        return now - queue.refreshed >= (queue.seconds("refresh_interval") or 60.0)

    def _ask(self, context: Any, name: str, now: float) -> ScheduledQueue:
        parts = QueueName.parse(name)
        config = decisions.queue_config(
            context, parts.domain, parts.tenant, parts.campaign, parts.routing_domain
        ).data
        pool_name = config.get("egress_pool")
        try:
            pool = decisions.egress_pool(context, pool_name).data
            for entry in pool["entries"]:
                decisions.egress_source(context, entry["name"])
        except (KumoError, PolicyError) as error:
            raise KumoError(f"resolving egress pool '{pool_name}': {error}") from None
        return ScheduledQueue(
            name=name, config=config, pool=pool, refreshed=now, epoch=self._facts.epoch
        )

    # Insertion --------------------------------------------------------------

    def insert(self, message: Message, *, context: str | None = None) -> None:
        """Put a message where it belongs now; ``context`` explains a delay in the log."""
        now = self._facts.now()
        rule = self.bounces.covering(message.queue_name())
        if rule is not None:
            self.bounce(message, rule)
            return
        if message.due is not None and message.due > now:
            with self._lock:
                heapq.heappush(self._heap, (message.due, next(self._order), message))
            if context is not None:
                self._log_delay(message, context, now)
            self._configuration.spool.save(message)
            return
        try:
            self._insert_ready(message, now)
        except NotReady as problem:
            response = Response(code=451, enhanced=_INTERNAL, content=problem.text)
            self._log(
                Disposition(
                    kind="TransientFailure",
                    message=message,
                    response=response,
                    egress_pool=problem.pool,
                )
            )
            self.requeue(message, response)
        except (KumoError, PolicyError) as error:
            name = message.queue_name()
            response = Response(
                code=451,
                enhanced=_INTERNAL,
                content=f"KumoMTA internal: {name} error while inserting into ready queue: {error}",
            )
            self.requeue(message, response, context="FailedToInsertIntoReadyQueue")

    def _log_delay(self, message: Message, context: str, now: float) -> None:
        due = message.due or now
        text = f"Context: {context}. Next due in {format_duration(due - now)} at {stamp(due)}"
        self._log(
            Disposition(kind="Delayed", message=message, response=Response(code=400, content=text))
        )

    def _insert_ready(self, message: Message, now: float) -> None:
        name = message.queue_name()
        if name == "null":
            self._configuration.spool.remove(message.id)
            return
        queue = self.resolve(name)
        suspended = self.suspensions.covering(name)
        if suspended is not None:
            text = f"KumoMTA internal: scheduled queue is suspended: {suspended.reason}"
            response = Response(code=451, enhanced=_INTERNAL, content=text)
            self._log(Disposition(kind="TransientFailure", message=message, response=response))
            self.requeue(message, response)
            return
        rate = queue.config.get("max_message_rate")
        throttle = parse_throttle(rate) if rate else None
        if isinstance(throttle, Throttle):
            delay = self._throttles.delay(f"schedq-{name}-message-rate", throttle, now)
            if delay > 0:
                message.due = now + delay
                self.insert(message, context="MessageRateThrottle")
                return
        self._selector.insert(queue, message, now)

    # Retry and expiry ---------------------------------------------------------

    def requeue(self, message: Message, response: Response, *, context: str | None = None) -> None:
        """Another attempt later, unless the message grows too old."""
        self._call_requeue_event(message, response)
        try:
            queue = self.resolve(message.queue_name())
        except (KumoError, PolicyError) as error:
            self._facts.diagnose("ERROR", f"requeue of {message.id}: {error}")
            queue = ScheduledQueue(name=message.queue_name(), config={"retry_interval": "20m",
                                   "max_age": "7d"}, pool={}, refreshed=0.0, epoch=-1)  # fmt: skip
        now = self._facts.now()
        delay = self._delay(queue, message.num_attempts)
        message.num_attempts += 1
        age = now - message.created + delay
        limit = queue.seconds("max_age") or 0.0
        text = (
            f"Next delivery time would be {format_duration(age)} after creation, "
            f"which exceeds max_age={format_duration(limit)}"
        )
        if age > limit:
            self._expire(message, queue, text)
            return
        message.due = now + delay
        self.insert(message, context=context)

    def postpone(self, message: Message, delay: float) -> None:
        """A rate says wait: no attempt is counted, and the wait is kept as it is."""
        queue, now = self.resolve(message.queue_name()), self._facts.now()
        age = now - message.created + delay
        limit = queue.seconds("max_age") or 0.0
        if age >= limit:
            self._expire(message, queue, f"Next delivery time PT{int(age)}S > PT{int(limit)}S")
            return
        message.due = now + delay
        self.insert(message, context="MessageRateThrottle")

    def take_up(self, message: Message) -> None:
        """Put back a message that the spool kept; its age says how often it was tried."""
        try:
            queue = self.resolve(message.queue_name())
        except (KumoError, PolicyError) as error:
            name = message.queue_name()
            self._facts.diagnose("ERROR", f"failed to resolve queue {name}: {error}")
            return
        now = self._facts.now()
        age = now - message.created
        limit = queue.seconds("max_age") or 0.0
        message.num_attempts = self._attempts_at(queue, age)
        planned = sum(self._planned(queue, i) for i in range(1, message.num_attempts))
        if age >= limit or planned >= limit:
            text = f"Delivery time {format_duration(age)} > {format_duration(limit)}"
            self._expire(message, queue, text)
            return
        message.due = now + max(0.0, planned - age)
        self.insert(message)

    def _attempts_at(self, queue: ScheduledQueue, age: float) -> int:
        attempts, elapsed = 0, 0.0
        while elapsed + self._planned(queue, attempts) <= age:
            elapsed += self._planned(queue, attempts)
            attempts += 1
        return attempts

    def _call_requeue_event(self, message: Message, response: Response) -> None:
        context = self._pool.get()
        if context.has_handler("requeue_message"):
            try:
                context.call("requeue_message", message, f"{response.code} {response.content}")
            except PolicyError as error:
                self._facts.diagnose("ERROR", f"requeue_message: {error.text}")
        self._pool.put(context)

    def _planned(self, queue: ScheduledQueue, attempts: int) -> float:
        base = max(1.0, float(int(queue.seconds("retry_interval") or 1200.0)))
        delay = base * 2.0 ** min(attempts, 60)
        ceiling = queue.seconds("max_retry_interval")
        return delay if ceiling is None else min(delay, max(1.0, float(int(ceiling))))

    def _delay(self, queue: ScheduledQueue, attempts: int) -> float:
        delay = self._planned(queue, attempts)
        if self._facts.jitter:
            base = queue.seconds("retry_interval") or 1200.0
            magnitude = min(base / 20.0, 60.0)
            delay += int((random.random() - 0.5) * magnitude)  # noqa: S311 - spreads load
        return delay

    def _expire(self, message: Message, queue: ScheduledQueue, text: str) -> None:
        self._log(
            Disposition(
                kind="Expiration",
                message=message,
                response=Response(code=551, enhanced=_EXPIRED, content=text),
                egress_pool=queue.config.get("egress_pool"),
                provider=queue.config.get("provider_name"),
            )
        )
        self._configuration.spool.remove(message.id)

    # Administration ---------------------------------------------------------------

    def bounce_waiting(self, rule: Rule) -> None:
        """End what waits and is meant by a new rule."""
        for message in self._drain(lambda message: rule.matches(message.queue_name())):
            self.bounce(message, rule)

    def bounce(self, message: Message, rule: Rule) -> None:
        """End one message for good."""
        if not rule.suppress_logging:
            content = f"Administrator bounced with reason: {rule.reason}"
            response = Response(code=551, enhanced=(5, 7, 1), content=content)
            self._log(Disposition(kind="AdminBounce", message=message, response=response))
        rule.bounced[message.queue_name()] += 1
        self._configuration.spool.remove(message.id)

    # Time -----------------------------------------------------------------------

    def next_due(self) -> float | None:
        """When the next message (or a throttled ready queue) wants attention."""
        with self._lock:
            moments = [self._heap[0][0]] if self._heap else []
        moments += [q.waits_until for q in list(self.ready.values()) if q.messages]
        return min(moments) if moments else None

    def promote(self, now: float) -> int:
        """Move every message whose time has come; how many."""
        count = 0
        while True:
            with self._lock:
                if not self._heap or self._heap[0][0] > now:
                    return count
                _, _, message = heapq.heappop(self._heap)
            message.due = None
            self.insert(message)
            count += 1

    def waiting(self) -> list[Message]:
        """Every message that is not delivered yet."""
        with self._lock:
            scheduled = [entry[2] for entry in sorted(self._heap, key=lambda entry: entry[:2])]
        ready = [list(queue.messages) for queue in list(self.ready.values())]
        return [*scheduled, *(message for messages in ready for message in messages)]

    def _drain(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """Take out the waiting messages for which ``wanted`` says so."""
        with self._lock:
            taken = [entry[2] for entry in self._heap if wanted(entry[2])]
            self._heap = [entry for entry in self._heap if not wanted(entry[2])]
            heapq.heapify(self._heap)
        for queue in list(self.ready.values()):
            taken += [message for message in queue.messages if wanted(message)]
            kept = [message for message in queue.messages if not wanted(message)]
            queue.messages.clear()
            queue.messages.extend(kept)
        return taken
