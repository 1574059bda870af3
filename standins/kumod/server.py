"""The engine as a server: threads that deliver, listeners, signals."""

import os
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import trustme

from standins.kumod.engine import Engine, StartResult
from standins.kumod.facts import KumodFacts, SystemClock
from standins.kumod.http_api import HttpApi, http_listener
from standins.kumod.http_client import keep_alive_client
from standins.kumod.resolver import SystemResolver
from standins.kumod.selection import ReadyQueue
from standins.kumod.smtp_client import SocketSmtp
from standins.kumod.smtp_server import SmtpListener

_WORKERS = 24
_TICK = 1.0


def real_engine(policy: str, **options: Any) -> Engine:
    facts = KumodFacts(
        clock=SystemClock(),
        env=dict(os.environ),
        resolver=SystemResolver(),
        new_http_client=keep_alive_client,
        threaded=True,
    )
    return Engine(policy, facts, SocketSmtp(facts.counters).connect, **options)


class Server:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="deliver")
        self._stop = threading.Event()

    def start(self) -> StartResult:
        result = self.engine.start()
        if not result.started:
            return result
        for kind, params in self.engine.listeners:
            try:
                self._listen(kind, params)
            except OSError as error:
                text = f"bind to {params['listen']}: {error}"
                self.engine.facts.diagnose("ERROR", f"problem initializing: {text}")
                return StartResult(started=False, running=False, error=text)
            self.engine.facts.diagnose("INFO", f"{kind} listener on {params['listen']}")
        self.engine.facts.diagnose("INFO", "initialization complete")
        return result

    def _listen(self, kind: str, params: dict[str, Any]) -> None:
        """The listeners' threads end with the process."""
        if kind == "esmtp":
            # As kumod's without a certificate of the policy's: one that nobody trusts.
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            trustme.CA().issue_cert(params.get("hostname") or "localhost").configure_cert(tls)
            SmtpListener(params, self.engine.reception, tls).start()
        else:
            listener = http_listener(params["listen"], HttpApi(params, self.engine))
            threading.Thread(target=listener.serve_forever, daemon=True).start()

    def run(self) -> None:
        engine = self.engine
        next_upkeep = 0.0
        while not self._stop.is_set():
            engine.facts.wakeup.clear()
            engine.settle_logs()
            engine.scheduler.promote(engine.clock.now())
            self._dispatch()
            if time.monotonic() >= next_upkeep:
                engine.upkeep()
                next_upkeep = time.monotonic() + _TICK
            due = engine.scheduler.next_due()
            pause = _TICK if due is None else max(0.005, due - engine.clock.now())
            engine.facts.wakeup.wait(min(_TICK, pause))

    def _dispatch(self) -> None:
        now = self.engine.clock.now()
        for queue in list(self.engine.scheduler.ready.values()):
            if queue.messages and queue.waits_until <= now and queue.lock.acquire(blocking=False):
                self._workers.submit(self._drain, queue)

    def _drain(self, queue: ReadyQueue) -> None:
        try:
            self.engine.dispatcher.drain(queue)
        except Exception as error:
            self.engine.facts.diagnose("ERROR", f"{queue.name}: {type(error).__name__}: {error}")
        finally:
            queue.lock.release()
            self.engine.facts.wakeup.set()

    def request_stop(self) -> None:
        self._stop.set()
        self.engine.facts.stopping = True
        self.engine.facts.wakeup.set()

    def shutdown(self) -> None:
        """Let running deliveries end, and save queued messages."""
        self._workers.shutdown(wait=True, cancel_futures=True)
        self.engine.settle_logs()
        self.engine.stop()
        self.engine.facts.diagnose("INFO", "Shutdown completed OK!")
