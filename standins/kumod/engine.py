"""The engine: a policy, its contexts, queues, logs and spool, driven by a test or by the server."""

import os
import uuid
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
    api_sqlite,
    api_throttle,
    dkim,
    message_api,
)
from standins.kumod.configuration import Configuration
from standins.kumod.dispatcher import Dispatcher
from standins.kumod.errors import KumoError, PolicyError, ValidationError
from standins.kumod.facts import POLICY, Clock, HostPaths, KumodFacts
from standins.kumod.http_client import (
    FunctionTransport,
    HttpRequest,
    HttpResponse,
)
from standins.kumod.injection import BadRequest, check_request, make_message
from standins.kumod.logs import Disposition, Response
from standins.kumod.message import Message
from standins.kumod.page_cache import WRITE_BACK, PageCache
from standins.kumod.pool import ConfigMonitor, ContextPool
from standins.kumod.reception import Reception, SmtpAnswer
from standins.kumod.recorder import Recorder
from standins.kumod.resolver import Resolver
from standins.kumod.scheduled import Scheduler
from standins.kumod.selection import SourceSelector
from standins.kumod.smtp_types import FunctionSmtp, SmtpAttempt, SmtpReply
from standins.kumod.spool import DirectorySpool, Spool

_SPOOLS = ("data", "meta")


@dataclass(frozen=True, kw_only=True)
class ValidationResult:
    """What ``kumod --validate`` would do: its exit status and everything it says."""

    exit: int
    output: str
    errors: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """The first line."""
        lines = [*self.errors, *self.output.splitlines()]
        return lines[0].split("\n")[0] if lines else ""


@dataclass(frozen=True, kw_only=True)
class StartResult:
    """How the start went: ``running`` is the process, ``started`` what listeners show."""

    started: bool
    running: bool
    error: str = ""


class Kumod:
    """A stand-in for one kumod. In process nothing moves until a method is called."""

    def __init__(
        self,
        policy_path: str | os.PathLike[str] = f"{POLICY}/init.lua",
        *,
        env: Mapping[str, str] | None = None,
        policy_root: Path | None = None,
        root: Path | None = None,
        mounts: Mapping[str, Path] | None = None,
        clock: Clock | None = None,
        http: Callable[[HttpRequest], HttpResponse] | None = None,
        smtp: Callable[[SmtpAttempt], SmtpReply] | Any | None = None,
        dns: Resolver | None = None,
        spool: Spool | None = None,
        max_context_age: float = 300.0,
        max_context_uses: int = 1024,
        jitter: bool = False,
        count_instructions: bool = False,
        modules: tuple[str, ...] = (),
        threaded: bool = False,
    ) -> None:
        self.policy_path = os.fspath(policy_path)
        own_mounts = {POLICY: policy_root} if policy_root is not None else {}
        self.facts = KumodFacts(
            env=dict(os.environ if env is None else env),
            paths=HostPaths(root=root, mounts={**own_mounts, **(mounts or {})}),
            jitter=jitter,
            count_instructions=count_instructions,
            threaded=threaded,
        )
        if clock is not None:
            self.facts.clock = clock
        if dns is not None:
            self.facts.resolver = dns
        if http is not None:
            self.facts.new_http_transport = lambda: FunctionTransport(http)
        self.clock = self.facts.clock
        self.printed, self.diagnostics = self.facts.printed, self.facts.diagnostics
        self.http_requests = self.facts.http_requests
        self.counters = self.facts.counters
        self.node_id = self.facts.env.get("KUMO_NODE_ID") or str(uuid.uuid4())
        self.configuration = Configuration(facts=self.facts, cache=PageCache(self.clock))
        self.hooks, self.listeners = self.configuration.hooks, self.configuration.listeners
        if spool is not None:
            self.configuration.spool = spool
        self._keep_spool = spool is not None or root is None
        self.smtp: Any = smtp if hasattr(smtp, "connect") else FunctionSmtp(smtp)
        self._wire(
            ContextPool(
                self.configuration,
                self.policy_path,
                modules=modules,
                max_age=max_context_age,
                max_uses=max_context_uses,
            )
        )

    def _wire(self, pool: ContextPool) -> None:
        """Here alone is the one circle: the scheduler logs, and the recorder enqueues events."""
        throttles = self.facts.throttles
        self.pool = pool
        self.monitor = ConfigMonitor(self.configuration)
        self.recorder = Recorder(
            pool, node_id=self.node_id, enqueue=self._enqueue_event, wake=self.wake
        )
        self.dispatcher = Dispatcher(pool, self.smtp, throttles, self, self.settle_logs)
        selector = SourceSelector(pool, throttles, drop=self.dispatcher.drop, wake=self.wake)
        self.scheduler = Scheduler(pool, selector, throttles, self.log)
        self.configuration.accept = self._accept
        self.reception = Reception(pool, self.scheduler, self.log)
        self.records = self.recorder.records

    # Start and validation -------------------------------------------------------

    def validate(self) -> ValidationResult:
        """As ``kumod --validate``: top level, pre_init, init, validate_config; nothing else."""
        self.facts.validating = True
        try:
            context = self.pool.fresh()
            for event in ("pre_init", "init", "validate_config"):
                self._call_stage(context, event)
        except (PolicyError, KumoError) as error:
            return ValidationResult(exit=1, output=self._output(), errors=(str(error),))
        for files in self.configuration.log_files:
            self.facts.paths.real(files.params["log_dir"]).mkdir(parents=True, exist_ok=True)
        return ValidationResult(
            exit=1 if self.configuration.validation_failed else 0, output=self._output()
        )

    def _output(self) -> str:
        return "".join(f"{line}\n" for line in self.facts.printed)

    def _call_stage(self, context: Any, event: str) -> None:
        if not context.has_handler(event):
            return
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
            for event in ("pre_init", "init"):
                self._call_stage(context, event)
            self._open_spools()
        except (PolicyError, KumoError, ValidationError) as error:
            # A hook's thread keeps the process alive although nothing listens.
            return self._not_started(
                f"Initialization raised an error: {error}", running=bool(self.configuration.hooks)
            )
        self.pool.put(context)
        self.monitor.remember()
        for message in self.spool.load_all():
            self.scheduler.take_up(message)
        return StartResult(started=True, running=True)

    def _not_started(self, text: str, *, running: bool) -> StartResult:
        self.facts.diagnose("ERROR", text)
        return StartResult(started=False, running=running, error=text)

    def _open_spools(self) -> None:
        missing = [name for name in _SPOOLS if name not in self.configuration.spools]
        if missing:
            raise ValidationError(f"start_spool: no spool named {missing[0]} has been defined")
        if not self._keep_spool or self.facts.threaded:
            data, meta = (
                self.facts.paths.real(self.configuration.spools[name]["path"]) for name in _SPOOLS
            )
            self.configuration.spool = DirectorySpool(data, meta, self.configuration.page_cache)

    def script(self, *args: str) -> None:
        """As ``kumod --script``: the event ``main``, with the arguments."""
        context = self.pool.fresh()
        context.call("main", *args)

    def stop(self) -> None:
        """Close sessions and logs; what is queued stays in the spool."""
        for queue in list(self.scheduler.ready.values()):
            self.dispatcher.drop(queue)
        for message in self.scheduler.waiting():
            self.spool.save(message)
        for files in self.configuration.log_files:
            files.close()

    def power_cut(self, write_back: float = WRITE_BACK) -> None:
        """The host goes dark: what was written in the last seconds was never on its disk.

        A kill -9 needs no call: it is another `Kumod` in the place of this one.
        """
        self.configuration.cache.power_cut(write_back)

    def bump_epoch(self) -> None:
        """The configuration changed: contexts and cached results are of the past."""
        self.facts.epoch += 1
        self.pool.clear()

    def wake(self) -> None:
        """Something became ready; the server overrides it."""

    # Messages ---------------------------------------------------------------------

    def inject(self, request: Mapping[str, Any], *, peer: str = "127.0.0.1") -> dict[str, Any]:
        """POST /api/inject/v1: the answer's JSON. A malformed request raises BadRequest."""
        checked = check_request(dict(request))
        failed: list[str] = []
        errors: list[str] = []
        for recipient in checked["recipients"]:
            try:
                self._inject_one(checked, recipient, peer)
            except (PolicyError, KumoError) as error:
                failed.append(recipient["email"])
                errors.append(f"{recipient['email']}: {error}")
        self.settle_logs()
        return {
            "success_count": len(checked["recipients"]) - len(failed),
            "fail_count": len(failed),
            "failed_recipients": failed,
            "errors": errors,
        }

    def _inject_one(
        self, request: Mapping[str, Any], recipient: Mapping[str, Any], peer: str
    ) -> None:
        message = make_message(request, recipient, peer=peer, now=self.clock.now(), auth=peer)
        context = self.pool.get()
        if context.has_handler("http_message_generated"):
            context.call("http_message_generated", message, {"peer_address": peer, "groups": []})
        self.pool.put(context)
        queue_name = message.queue_name()
        if queue_name == "null":
            return
        self.scheduler.resolve(queue_name)
        message.apply_trace(request.get("trace_headers"))
        self.spool.save(message)
        self.log(
            Disposition(
                kind="Reception",
                message=message,
                response=Response(code=250, content=""),
                peer=("", peer),
            )
        )
        self.scheduler.insert(message, context="Received")

    def _accept(self, message: Message) -> None:
        """Take a message that the policy made itself."""
        message.meta.setdefault("reception_protocol", "Lua")
        if message.queue_name() != "null":
            self._enqueue_event(message)

    def _enqueue_event(self, message: Message) -> None:
        name = message.queue_name()
        if name != "null":
            self.scheduler.resolve(name)
        self.spool.save(message)
        self.scheduler.insert(message, context="Received")

    def receive_smtp(
        self,
        sender: str,
        recipients: list[str],
        data: bytes,
        *,
        listener: Mapping[str, Any] | str | None = None,
        peer: str = "203.0.113.9",
        helo: str = "mx.example.net",
    ) -> SmtpAnswer:
        """One SMTP transaction with a listener: the answer that decided it."""
        answer = self.reception.transaction(
            sender, recipients, data, listener=self._listener(listener), peer=peer, helo=helo
        )
        self.settle_logs()
        return answer

    def _listener(self, wanted: Mapping[str, Any] | str | None) -> dict[str, Any]:
        if isinstance(wanted, Mapping):
            return dict(wanted)
        for kind, params in self.configuration.listeners:
            if kind == "esmtp" and wanted in (None, params["listen"]):
                return params
        raise ValidationError("the policy started no such ESMTP listener")

    def requeue(self, message: Message, response: Response) -> None:
        self.scheduler.requeue(message, response)

    def postpone(self, message: Message, delay: float) -> None:
        self.scheduler.postpone(message, delay)

    def delivered(self, message: Message) -> None:
        self.spool.remove(message.id)

    def failed(self, message: Message) -> None:
        self.spool.remove(message.id)

    # Time --------------------------------------------------------------------------

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
            if not moved and after == before and not self.recorder.busy:
                return
            if not moved and before == 0:
                return

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass, doing each thing when it falls due."""
        end = self.clock.now() + seconds
        self.run()
        while True:
            due = self.scheduler.next_due()
            if due is None or due > end:
                break
            self._move(due)
            self._upkeep()
            self.run()
        self._move(end)
        self._upkeep()

    def _move(self, moment: float) -> None:
        self.clock.sleep(max(0.0, moment - self.clock.now()))

    def _upkeep(self) -> None:
        now = self.clock.now()
        for files in self.configuration.log_files:
            files.expire(now)
        for queue in self.scheduler.ready.values():
            self.dispatcher.close_idle(queue, now)
        if now >= self.monitor.due and self.monitor.check():
            self.bump_epoch()

    # Logs ----------------------------------------------------------------------------

    def log(self, what: Disposition) -> None:
        """Write a record to every log and hand it to every hook."""
        self.recorder.log(what)

    def settle_logs(self) -> None:
        """Let the hooks turn their records into messages."""
        self.recorder.settle()

    # What tests look at ----------------------------------------------------------------

    @property
    def spool(self) -> Spool:
        return self.configuration.spool

    @property
    def delivered_messages(self) -> list[SmtpAttempt]:
        """Every attempt that the function peer saw."""
        attempts: list[SmtpAttempt] = getattr(self.smtp, "attempts", [])
        return attempts

    def records_of(self, kind: str, *, queue: str | None = None) -> list[dict[str, Any]]:
        """The log records of a type."""
        return [
            record
            for record in self.records
            if record["type"] == kind and queue in (None, record["queue"])
        ]


__all__ = ["BadRequest", "Kumod", "StartResult", "ValidationResult"]
