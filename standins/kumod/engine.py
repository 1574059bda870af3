"""The engine: a policy, its contexts, queues, logs and spool, driven by a test or by the server."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from standins.kumod import (  # noqa: F401 - importing them registers what a policy may call
    api_config,
    api_core,
    api_data,
    api_http,
    api_shaping,
    dkim,
    message_api,
)
from standins.kumod.configuration import Configuration
from standins.kumod.dispatcher import Dispatcher
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.facts import POLICY, Clock, HostPaths, KumodFacts, free_percent
from standins.kumod.http_client import HttpRequest, HttpResponse
from standins.kumod.injection import check_request, make_message
from standins.kumod.logs import Response, address
from standins.kumod.lua import LuaContext
from standins.kumod.message import Message
from standins.kumod.pool import ConfigMonitor, ContextPool
from standins.kumod.reception import Reception, SmtpState
from standins.kumod.recorder import Recorder
from standins.kumod.resolver import FakeResolver, Resolver
from standins.kumod.scheduled import Scheduler
from standins.kumod.selection import SourceSelector
from standins.kumod.smtp_types import Connect, FunctionSmtp, SmtpAttempt, SmtpReply
from standins.kumod.spool import WRITE_BACK, PageCache, Spool


@dataclass(frozen=True, kw_only=True)
class ValidationResult:
    """What ``kumod --validate`` would do: its exit status and everything it says."""

    exit: int
    output: str
    errors: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """The first line."""
        lines = "\n".join([*self.errors, self.output]).splitlines()
        return lines[0] if lines else ""


@dataclass(frozen=True, kw_only=True)
class StartResult:
    """The result of a start: ``running`` is the process, ``started`` what listeners report."""

    started: bool
    running: bool
    error: str = ""


class Engine:
    def __init__(
        self,
        policy_path: str | os.PathLike[str],
        facts: KumodFacts,
        open_smtp: Connect,
        **contexts: Any,
    ) -> None:
        self.policy_path = os.fspath(policy_path)
        self.facts = facts
        self.clock = facts.clock
        self.counters = facts.counters
        cache = None if facts.threaded else PageCache(facts.clock)
        self.configuration = Configuration(facts=facts, page_cache=cache)
        self.hooks, self.listeners = self.configuration.hooks, self.configuration.listeners
        self.pool = pool = ContextPool(self.configuration, self.policy_path, **contexts)
        self.monitor = ConfigMonitor(self.configuration)
        # Here alone is the one circle: the scheduler logs, and the recorder enqueues events.
        self.recorder = Recorder(pool, self._enqueue)
        self.log, self.settle_logs = self.recorder.log, self.recorder.settle
        self.scheduler = Scheduler(pool, SourceSelector(pool), self.log)
        self.dispatcher = Dispatcher(pool, open_smtp, self.scheduler, self.settle_logs)
        self.reception = Reception(pool, self.scheduler, self.log)
        self.configuration.accept = self._accept

    def validate(self) -> ValidationResult:
        """As ``kumod --validate``: top level, pre_init, init, validate_config; nothing else."""
        self.facts.validating = True
        errors: tuple[str, ...] = ()
        try:
            self._call_stages(self.pool.fresh(), "pre_init", "init", "validate_config")
            for files in self.configuration.log_files:
                files.folder.mkdir(parents=True, exist_ok=True)
        except (PolicyError, KumoError) as error:
            errors = (str(error),)
        return ValidationResult(
            exit=1 if errors or self.configuration.validation_failed else 0,
            output="".join(f"{line}\n" for line in self.facts.printed),
            errors=errors,
        )

    def _call_stages(self, context: LuaContext, *events: str) -> None:
        for event in events:
            try:
                context.call(event)
            except PolicyError as error:
                raise KumoError(f"call {event} callback: {error.text}") from None

    def start(self) -> StartResult:
        """As the service's start: the policy runs in a first context, then again in a second,
        which runs pre_init and init; then the spool's messages are taken up."""
        try:
            self.pool.fresh()
        except PolicyError as error:
            text = f'Error evaluating policy file "{self.policy_path}": {error.text}'
            return self._not_started(text, running=False)
        try:
            context = self.pool.fresh()
            self._call_stages(context, "pre_init", "init")
            self.configuration.open_spool()
        except (PolicyError, KumoError) as error:
            # A hook's thread keeps the process alive although nothing listens.
            text = f"Initialization raised an error: {error}"
            return self._not_started(text, running=bool(self.hooks))
        self.pool.put(context)
        self.monitor.remember()
        for message in self.spool.load_all():
            self.scheduler.take_up(message)
        return StartResult(started=True, running=True)

    def _not_started(self, text: str, *, running: bool) -> StartResult:
        self.facts.diagnose("ERROR", text)
        return StartResult(started=False, running=running, error=text)

    def stop(self) -> None:
        """Close sessions and logs; queued messages stay in the spool."""
        for queue in list(self.scheduler.ready.values()):
            queue.drop()
        for message in self.scheduler.waiting():
            self.spool.save(message)
        for files in self.configuration.log_files:
            files.close()

    def bump_epoch(self) -> None:
        """The configuration changed: contexts and cached results are out of date."""
        self.facts.epoch += 1

    @property
    def spool(self) -> Spool:
        return self.configuration.spool

    def inject(self, request: Mapping[str, Any], *, peer: str = "127.0.0.1") -> dict[str, Any]:
        """POST /api/inject/v1: the answer's JSON. A malformed request raises BadRequest."""
        check_request(request)
        failed: list[str] = []
        errors: list[str] = []
        for recipient in request["recipients"]:
            try:
                self._inject_one(request, recipient, peer)
            except (PolicyError, KumoError) as error:
                failed.append(recipient["email"])
                errors.append(f"{recipient['email']}: {error}")
        self.settle_logs()
        return {
            "success_count": len(request["recipients"]) - len(failed),
            "fail_count": len(failed),
            "failed_recipients": failed,
            "errors": errors,
        }

    def _inject_one(
        self, request: Mapping[str, Any], recipient: Mapping[str, Any], peer: str
    ) -> None:
        message = make_message(request, recipient, peer=peer, now=self.clock.now())
        with self.pool.borrowed() as context:
            context.call("http_message_generated", message, {"peer_address": peer, "groups": []})
        if message.queue_name() == "null":
            return
        self.scheduler.resolve(message.queue_name())
        message.apply_trace(request.get("trace_headers"))
        self.spool.save(message)
        response = Response(code=250, content="")
        self.log("Reception", message, response, peer_address=address("", peer))
        self.scheduler.insert(message, context="Received")

    def _accept(self, message: Message) -> None:
        """Take a message that the policy made itself."""
        message.meta.setdefault("reception_protocol", "Lua")
        self._enqueue(message)

    def _enqueue(self, message: Message) -> None:
        if message.queue_name() != "null":
            self.scheduler.resolve(message.queue_name())
            self.spool.save(message)
            self.scheduler.insert(message, context="Received")

    def not_ready(self) -> str | None:
        """Why no message is accepted now: less than a tenth of a disk or its inodes is free."""
        if self.facts.stopping:
            return "shutting down"
        for params in self.configuration.spools.values():
            free = free_percent(self.facts.paths.real(params["path"]))
            for value, name in zip(free, ("min_free_space", "min_free_inodes"), strict=True):
                wanted = str(params.get(name, "10%"))
                if wanted.endswith("%") and value < float(wanted.rstrip("%")):
                    return f"{params['path']}: {value}% free is below {name}"
        return None

    def upkeep(self) -> None:
        """Timed work: ends of segments, idle sessions, changed files."""
        now = self.clock.now()
        for files in self.configuration.log_files:
            files.expire(now)
        for queue in list(self.scheduler.ready.values()):
            if queue.lock.acquire(blocking=False):
                try:
                    self.dispatcher.close_idle(queue, now)
                finally:
                    queue.lock.release()
        if now >= self.monitor.due and self.monitor.check():
            self.facts.diagnose("INFO", "config epoch changed")
            self.bump_epoch()


class Kumod(Engine):
    """A kumod in process. Nothing moves until a method is called."""

    def __init__(
        self,
        policy_path: str | os.PathLike[str] = f"{POLICY}/init.lua",
        *,
        env: Mapping[str, str] | None = None,
        root: Path | None = None,
        clock: Clock | None = None,
        http: Callable[[HttpRequest], HttpResponse] | None = None,
        smtp: Callable[[SmtpAttempt], SmtpReply] | None = None,
        dns: Resolver | None = None,
        count_instructions: bool = False,
        **options: Any,
    ) -> None:
        facts = KumodFacts(
            env=dict(os.environ if env is None else env),
            paths=HostPaths(root),
            resolver=dns or FakeResolver(),
            count_instructions=count_instructions,
        )
        if clock is not None:
            facts.clock = clock
        if http is not None:
            facts.new_http_client = lambda: http
        self.smtp = FunctionSmtp(smtp)
        super().__init__(policy_path, facts, self.smtp.connect, **options)
        self.printed, self.diagnostics = facts.printed, facts.diagnostics
        self.http_requests = facts.http_requests
        self.records = self.recorder.records
        self.delivered_messages = self.smtp.attempts

    def power_cut(self, write_back: float = WRITE_BACK) -> None:
        """The host goes dark: what was written in the last seconds was never on its disk.

        A kill -9 needs no call: it is another `Kumod` in the place of this one.
        """
        if self.configuration.page_cache:
            self.configuration.page_cache.power_cut(write_back)

    def receive_smtp(
        self,
        sender: str,
        recipients: list[str],
        data: bytes,
        *,
        peer: str = "203.0.113.9",
        helo: str = "mx.example.net",
    ) -> SmtpReply:
        """One SMTP transaction with the policy's listener: the answer that decided it."""
        listener = next(params for kind, params in self.listeners if kind == "esmtp")
        state = SmtpState(listener=listener, peer=peer, helo=helo)
        refusals = (self.reception.rcpt(state, sender, recipient) for recipient in recipients)
        refusal = next(filter(None, refusals), None)
        answer = refusal or self.reception.data(state, sender, recipients, data)
        self.settle_logs()
        return answer

    def run(self) -> None:
        """Do everything that is due now."""
        while True:
            self.settle_logs()
            moved = self.scheduler.promote(self.clock.now())
            busy = [q for q in self.scheduler.ready.values() if q.messages]
            before = sum(len(queue.messages) for queue in busy)
            for queue in busy:
                self.dispatcher.drain(queue)
            after = sum(len(q.messages) for q in self.scheduler.ready.values())
            if not moved and (before == 0 or (after == before and not self.recorder.pending)):
                return

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass, and do each thing when it is due."""
        end = self.clock.now() + seconds
        self.run()
        while (due := self.scheduler.next_due()) is not None and due <= end:
            self._move(due)
            self.run()
        self._move(end)

    def _move(self, moment: float) -> None:
        self.clock.sleep(max(0.0, moment - self.clock.now()))
        self.upkeep()

    def records_of(self, kind: str, *, queue: str | None = None) -> list[dict[str, Any]]:
        return [
            record
            for record in self.records
            if record["type"] == kind and queue in (None, record["queue"])
        ]
