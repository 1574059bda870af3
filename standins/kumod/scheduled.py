"""Scheduled queues: their configuration, retries, expiry, and the way to a ready queue."""

import heapq
import itertools
import random
import threading
from typing import Any

from standins.kumod import decisions
from standins.kumod.admin import Rule, Rules
from standins.kumod.durations import format_duration, parse_throttle
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.logs import Log, Response, stamp
from standins.kumod.message import Message, QueueName
from standins.kumod.pool import ContextPool
from standins.kumod.selection import NotReady, ScheduledQueue, SourceSelector, stale

_INTERNAL = (4, 4, 4)
_RETRY = 1200.0


class Scheduler:
    def __init__(self, pool: ContextPool, selector: SourceSelector, log: Log) -> None:
        self._pool = pool
        self._facts = pool.facts
        self._configuration = pool.configuration
        self._selector = selector
        self.log = log
        self._heap: list[tuple[float, int, Message]] = []
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._queues: dict[str, ScheduledQueue] = {}
        self.ready = selector.ready
        self.suspensions = Rules()
        self.bounces = Rules()

    def resolve(self, name: str) -> ScheduledQueue:
        """The queue; asks the policy if it is new or due for a refresh."""
        now = self._facts.moment()
        queue = self._queues.get(name)
        if queue is not None and not stale(queue.config, queue.since, now):
            return queue
        try:
            with self._pool.borrowed() as context:
                config, pool = self._ask(context, name)
        except (KumoError, PolicyError):
            if queue is None:
                raise
            queue.since = now
            return queue
        fresh = ScheduledQueue(name=name, config=config, pool=pool, since=now)
        if queue is not None and queue.pool == fresh.pool:
            fresh.turn = queue.turn
        self._queues[name] = fresh
        return fresh

    def _ask(self, context: Any, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        config = decisions.queue_config(context, QueueName.parse(name)).data
        pool_name = config.get("egress_pool")
        try:
            pool = decisions.egress_pool(context, pool_name).data
            for entry in pool["entries"]:
                decisions.egress_source(context, entry["name"])
        except (KumoError, PolicyError) as error:
            raise KumoError(f"resolving egress pool '{pool_name}': {error}") from None
        return config, pool

    def insert(self, message: Message, *, context: str | None = None) -> None:
        """Put a message into its present queue; ``context`` explains a delay in the log."""
        now = self._facts.now()
        name = message.queue_name()
        rule = self.bounces.covering(name)
        if rule is not None:
            self.bounce(message, rule)
            return
        if message.due is not None and message.due > now:
            with self._lock:
                heapq.heappush(self._heap, (message.due, next(self._order), message))
            if context is not None:
                wait = f"{format_duration(message.due - now)} at {stamp(message.due)}"
                text = f"Context: {context}. Next due in {wait}"
                self.log("Delayed", message, Response(code=400, content=text))
            self._configuration.spool.save(message)
            return
        try:
            self._insert_ready(message, name, now)
        except NotReady as problem:
            self._defer(message, str(problem), egress_pool=problem.pool)

    def _insert_ready(self, message: Message, name: str, now: float) -> None:
        if name == "null":
            self.done(message)
            return
        queue = self.resolve(name)
        suspended = self.suspensions.covering(name)
        if suspended is not None:
            reason = suspended.reason
            self._defer(message, f"KumoMTA internal: scheduled queue is suspended: {reason}")
            return
        rate = queue.config.get("max_message_rate")
        key = f"schedq-{name}-message-rate"
        delay = self._facts.throttles.delay(key, parse_throttle(rate), now) if rate else 0
        if delay > 0:
            message.due = now + delay
            self.insert(message, context="MessageRateThrottle")
        else:
            self._selector.insert(queue, message, now)

    def _defer(self, message: Message, text: str, **more: Any) -> None:
        response = Response(code=451, enhanced=_INTERNAL, content=text)
        self.log("TransientFailure", message, response, **more)
        self.requeue(message)

    def requeue(self, message: Message) -> None:
        """Try again later, unless the message is too old by then."""
        queue, now = self.resolve(message.queue_name()), self._facts.now()
        delay = self._planned(queue, message.num_attempts) + self._jitter(queue)
        message.num_attempts += 1
        age, limit = now - message.created + delay, queue.seconds("max_age")
        if age > limit:
            self._expire(
                message,
                queue,
                f"Next delivery time would be {format_duration(age)} after creation, "
                f"which exceeds max_age={format_duration(limit)}",
            )
            return
        message.due = now + delay
        self.insert(message)

    def postpone(self, message: Message, delay: float) -> None:
        """A rate requires a wait: no attempt is counted, and the wait stays as it is."""
        queue, now = self.resolve(message.queue_name()), self._facts.now()
        age, limit = now - message.created + delay, queue.seconds("max_age")
        if age >= limit:
            self._expire(message, queue, f"Next delivery time PT{int(age)}S > PT{int(limit)}S")
            return
        message.due = now + delay
        self.insert(message, context="MessageRateThrottle")

    def done(self, message: Message) -> None:
        """Delivered, or failed permanently."""
        self._configuration.spool.remove(message.id)

    def take_up(self, message: Message) -> None:
        """Load a message from the spool; its age decides how often it was tried."""
        try:
            queue = self.resolve(message.queue_name())
        except (KumoError, PolicyError) as error:
            name = message.queue_name()
            self._facts.diagnose("ERROR", f"failed to resolve queue {name}: {error}")
            return
        now = self._facts.now()
        age, limit = now - message.created, queue.seconds("max_age")
        elapsed = message.num_attempts = 0
        while elapsed + self._planned(queue, message.num_attempts) <= age:
            elapsed += self._planned(queue, message.num_attempts)
            message.num_attempts += 1
        planned = sum(self._planned(queue, i) for i in range(1, message.num_attempts))
        if age >= limit or planned >= limit:
            text = f"Delivery time {format_duration(age)} > {format_duration(limit)}"
            self._expire(message, queue, text)
            return
        message.due = now + max(0.0, planned - age)
        self.insert(message)

    def _planned(self, queue: ScheduledQueue, attempts: int) -> int:
        """Whole seconds before the next attempt."""
        delay: int = max(1, int(queue.seconds("retry_interval", _RETRY))) * 2 ** min(attempts, 60)
        return min(delay, max(1, int(queue.seconds("max_retry_interval", delay))))

    def _jitter(self, queue: ScheduledQueue) -> int:
        """Spreads the load of a real server."""
        magnitude = min(queue.seconds("retry_interval", _RETRY) / 20.0, 60.0)
        chance = random.random() - 0.5  # noqa: S311 - no secret
        return int(chance * magnitude) if self._facts.threaded else 0

    def _expire(self, message: Message, queue: ScheduledQueue, text: str) -> None:
        self.log(
            "Expiration",
            message,
            Response(code=551, enhanced=(5, 4, 7), content=text),
            egress_pool=queue.config.get("egress_pool"),
        )
        self.done(message)

    def bounce_waiting(self, rule: Rule) -> None:
        """Bounce waiting messages that a new rule covers."""
        with self._lock:
            scheduled, self._heap = self._heap, []
            taken = []
            for entry in scheduled:
                if rule.matches(entry[2].queue_name()):
                    taken.append(entry[2])
                else:
                    heapq.heappush(self._heap, entry)
        for queue in list(self.ready.values()):
            for message in queue.take(len(queue.messages)):
                meant = rule.matches(message.queue_name())
                (taken if meant else queue.messages).append(message)
        for message in taken:
            self.bounce(message, rule)

    def bounce(self, message: Message, rule: Rule) -> None:
        if not rule.suppress_logging:
            content = f"Administrator bounced with reason: {rule.reason}"
            response = Response(code=551, enhanced=(5, 7, 1), content=content)
            self.log("AdminBounce", message, response)
        rule.bounced[message.queue_name()] += 1
        self.done(message)

    def next_due(self) -> float | None:
        """When the next message (or throttled ready queue) is due."""
        with self._lock:
            moments = [self._heap[0][0]] if self._heap else []
        moments += [q.waits_until for q in list(self.ready.values()) if q.messages]
        return min(moments, default=None)

    def promote(self, now: float) -> int:
        """Move every message that is due; returns how many."""
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
            scheduled = [message for _, _, message in sorted(self._heap)]
        ready = [list(queue.messages) for queue in list(self.ready.values())]
        return [*scheduled, *itertools.chain(*ready)]
