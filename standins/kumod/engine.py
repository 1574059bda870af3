"""The engine: a policy, its contexts, queues, logs and spool, driven by a test or by the server."""

from __future__ import annotations

import os
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from standins.kumod import (
    api_config,
    api_core,
    api_dkim,
    api_dns,
    api_files,
    api_http,
    api_serde,
    api_shaping,
    api_sqlite,
    api_strings,
    api_tail,
    api_time,
    message_api,
)
from standins.kumod.classify import BounceClassifier
from standins.kumod.clock import Clock, FakeClock
from standins.kumod.decisions import Decisions
from standins.kumod.errors import KumoError, PolicyError, ValidationError
from standins.kumod.http_client import (
    FunctionTransport,
    HttpFailure,
    HttpRequest,
    HttpResponse,
    HttpTransport,
)
from standins.kumod.injection import BadRequest, check_request, make_message
from standins.kumod.logs import (
    Disposition,
    LogFile,
    Response,
    check_template,
    mark_left_segments,
)
from standins.kumod.memo import MemoCaches
from standins.kumod.message import Message
from standins.kumod.page_cache import WRITE_BACK, PageCache
from standins.kumod.paths import POLICY, HostPaths
from standins.kumod.pool import ConfigMonitor, ContextPool
from standins.kumod.ready import Dispatcher
from standins.kumod.reception import Reception, SmtpAnswer
from standins.kumod.recorder import Recorder
from standins.kumod.resolver import FakeResolver, Resolver
from standins.kumod.scheduled import Scheduler
from standins.kumod.smtp_fake import FunctionSmtp
from standins.kumod.smtp_types import SmtpAttempt, SmtpReply
from standins.kumod.spool import DirectorySpool, MemorySpool, Spool
from standins.kumod.throttle import Throttles

#: Importing them registers what a policy may call.
REGISTERED = (
    api_config,
    api_core,
    api_dkim,
    api_dns,
    api_files,
    api_http,
    api_serde,
    api_shaping,
    api_sqlite,
    api_strings,
    api_tail,
    api_time,
    message_api,
)
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


def _no_http_peer(_request: HttpRequest) -> HttpResponse:
    raise HttpFailure("no peer: give Kumod(http=...)")


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
    ) -> None:
        self.policy_path = os.fspath(policy_path)
        self.env = dict(os.environ if env is None else env)
        own_mounts = {POLICY: policy_root} if policy_root is not None else {}
        self.paths = HostPaths(root=root, mounts={**own_mounts, **(mounts or {})})
        self.clock: Clock = clock if clock is not None else FakeClock()
        self.page_cache = PageCache(self.clock)
        self.modules = modules
        self.jitter = jitter
        self.count_instructions = count_instructions
        self.counters: Counter[str] = Counter()
        self.totals: Counter[tuple[str, str, str | None, str | None]] = Counter()
        self.epoch = 0
        self.validating = False
        self.validation_failed = False
        self.threaded = False
        self.stopping = False

        self.pool = ContextPool(self, max_age=max_context_age, max_uses=max_context_uses)
        self.monitor = ConfigMonitor(self)
        self.decisions = Decisions(self)
        self.scheduler = Scheduler(self)
        self.dispatcher = Dispatcher(self)
        self.reception = Reception(self)
        self.recorder = Recorder(self)
        self.throttles = Throttles()
        self.memo = MemoCaches()
        self.classifier = BounceClassifier()
        self.signers: dict[str, tuple[float, Any]] = {}

        self.resolver: Resolver = dns if dns is not None else FakeResolver()
        self._http = http
        self.smtp: Any = smtp if hasattr(smtp, "connect") else FunctionSmtp(smtp)
        self.spool: Spool = spool if spool is not None else MemorySpool()
        self._keep_spool = spool is not None or root is None

        self.spools: dict[str, dict[str, Any]] = {}
        self.log_files: list[LogFile] = []
        self.hooks: dict[str, dict[str, Any]] = {}
        self.listeners: list[tuple[str, dict[str, Any]]] = []
        self.node_id = self.env.get("KUMO_NODE_ID") or str(uuid.uuid4())
        self._running = False

        self.records: list[dict[str, Any]] = []
        self.http_requests: list[HttpRequest] = []
        self.mta_sts = True
        self.printed: list[str] = []
        self.diagnostics: list[tuple[str, str]] = []

    # Start and validation -------------------------------------------------------

    def validate(self) -> ValidationResult:
        """As ``kumod --validate``: top level, pre_init, init, validate_config; nothing else."""
        self.validating = True
        try:
            context = self.pool.fresh()
            for event in ("pre_init", "init", "validate_config"):
                self._call_stage(context, event)
        except (PolicyError, KumoError) as error:
            return ValidationResult(exit=1, output=self._output(), errors=(str(error),))
        for files in self.log_files:
            self.paths.real(files.params["log_dir"]).mkdir(parents=True, exist_ok=True)
        return ValidationResult(exit=1 if self.validation_failed else 0, output=self._output())

    def _output(self) -> str:
        return "".join(f"{line}\n" for line in self.printed)

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
                f"Initialization raised an error: {error}", running=bool(self.hooks)
            )
        self.pool.put(context)
        self.monitor.remember()
        self._running = True
        for message in self.spool.load_all():
            self.scheduler.take_up(message)
        return StartResult(started=True, running=True)

    def _not_started(self, text: str, *, running: bool) -> StartResult:
        self.diagnose("ERROR", text)
        return StartResult(started=False, running=running, error=text)

    def _open_spools(self) -> None:
        missing = [name for name in _SPOOLS if name not in self.spools]
        if missing:
            raise ValidationError(f"start_spool: no spool named {missing[0]} has been defined")
        if not self._keep_spool or self.threaded:
            data, meta = (self.paths.real(self.spools[name]["path"]) for name in _SPOOLS)
            self.spool = DirectorySpool(data, meta, None if self.threaded else self.page_cache)

    def script(self, *args: str) -> None:
        """As ``kumod --script``: the event ``main``, with the arguments."""
        context = self.pool.fresh()
        context.call("main", *args)

    def stop(self) -> None:
        """Close sessions and logs; what is queued stays in the spool."""
        self._running = False
        for queue in list(self.scheduler.ready.values()):
            self.dispatcher.drop(queue)
        for message in self.scheduler.waiting():
            self.spool.save(message)
        for files in self.log_files:
            files.close()

    def power_cut(self, write_back: float = WRITE_BACK) -> None:
        """The host goes dark: what was written in the last seconds was never on its disk.

        A kill -9 needs no call: it is another `Kumod` in the place of this one.
        """
        self._running = False
        self.page_cache.power_cut(write_back)

    # What the policy configures ---------------------------------------------------

    def define_spool(self, params: dict[str, Any]) -> None:
        if params["name"] in self.spools:
            raise KumoError(f"spool {params['name']} has already been defined")
        self.spools[params["name"]] = params

    def configure_local_logs(self, params: dict[str, Any]) -> None:
        check_template(params)
        if not self.validating:
            mark_left_segments(params, self.paths.real)
        cache = None if self.threaded else self.page_cache
        self.log_files.append(LogFile(params, self.paths.real, cache))

    def configure_log_hook(self, params: dict[str, Any]) -> None:
        check_template(params)
        if params["name"] in self.hooks:
            raise KumoError(
                f"A logging hook with name `{params['name']}` has already been registered"
            )
        self.hooks[params["name"]] = params

    def start_listener(self, kind: str, params: dict[str, Any]) -> None:
        if self.validating:
            return
        address = params.get("listen", "127.0.0.1:8000" if kind == "http" else "127.0.0.1:2025")
        if any(other.get("listen") == address for _, other in self.listeners):
            raise KumoError(f"bind to {address}: Address already in use (os error 98)")
        self.listeners.append((kind, {**params, "listen": address}))

    # Services of the engine ---------------------------------------------------------

    def diagnose(self, level: str, text: str) -> None:
        """A line of kumod's diagnostic log."""
        if not self.threaded:
            self.diagnostics.append((level, text))
        else:
            moment = datetime.now(UTC).isoformat(timespec="milliseconds")
            print(f"{moment} {level} {text}", file=sys.stderr, flush=True)  # noqa: T201 - the log

    def print_line(self, text: str) -> None:
        self.printed.append(text)
        if self.threaded:
            print(text, flush=True)  # noqa: T201 - Lua's print

    def new_http_transport(self) -> HttpTransport:
        return FunctionTransport(self._http or _no_http_peer)

    def note_http(self, request: HttpRequest) -> None:
        self.counters["http.request"] += 1
        if not self.threaded:
            self.http_requests.append(request)

    def read_text(self, path: str) -> str:
        self.counters["fs.read"] += 1
        try:
            return self.paths.real(path).read_text(encoding="utf-8")
        except OSError as error:
            raise KumoError(
                f"reading file {path}: {error.strerror} (os error {error.errno})"
            ) from None

    def load_key_source(self, source: Any) -> bytes:
        """The bytes of a key: of a file, or given literally."""
        if isinstance(source, dict) and "key_data" in source:
            return str(source["key_data"]).encode()
        if not isinstance(source, str):
            raise KumoError("this kind of KeySource is not in this stand-in for kumod")
        try:
            return self.paths.real(source).read_bytes()
        except OSError as error:
            raise KumoError(
                f'File("{source}"): KeySource failed to load data from file `{source}`: '
                f"{error.strerror} (os error {error.errno})"
            ) from None

    def bump_epoch(self) -> None:
        """The configuration changed: contexts and cached results are of the past."""
        self.epoch += 1
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

    def accept(self, message: Message) -> None:
        """Take a message that the policy made itself."""
        message.meta.setdefault("reception_protocol", "Lua")
        if message.queue_name() != "null":
            self.scheduler.resolve(message.queue_name())
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
        for kind, params in self.listeners:
            if kind == "esmtp" and wanted in (None, params["listen"]):
                return params
        raise ValidationError("the policy started no such ESMTP listener")

    def requeue(self, message: Message, response: Response) -> None:
        self.scheduler.requeue(message, response)

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
        for files in self.log_files:
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
