"""The engine as a server: threads that deliver, listeners, signals."""

import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from standins.kumod.engine import Kumod, StartResult
from standins.kumod.errors import ValidationError
from standins.kumod.facts import SystemClock
from standins.kumod.http_api import HttpListener
from standins.kumod.http_client import SocketTransport
from standins.kumod.ready import ReadyQueue
from standins.kumod.service import Service
from standins.kumod.smtp_client import SocketSmtp
from standins.kumod.smtp_server import SmtpListener, server_context
from standins.kumod.system_resolver import SystemResolver

_WORKERS = 24
_TICK = 1.0


class ServerEngine(Kumod):
    """The engine on real time, sockets and files."""

    def __init__(self, policy: str, **options: Any) -> None:
        counters: Counter[str] = Counter()
        self.wakeup = threading.Event()
        options = {
            "clock": SystemClock(),
            "dns": SystemResolver(),
            "smtp": SocketSmtp(counters),
            **options,
        }
        super().__init__(policy, jitter=True, threaded=True, **options)
        self.facts.new_http_transport = SocketTransport
        self.counters = self.facts.counters = counters

    def wake(self) -> None:
        self.wakeup.set()


class Server:
    """Runs an engine until it is told to stop."""

    def __init__(self, engine: ServerEngine) -> None:
        self.engine = engine
        self.service = Service(engine)
        self._listeners: list[HttpListener | SmtpListener] = []
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="deliver")
        self._stop = threading.Event()

    # Life -------------------------------------------------------------------------

    def start(self) -> StartResult:
        """Start the engine and its listeners."""
        result = self.engine.start()
        if not result.started:
            return result
        try:
            for kind, params in self.engine.listeners:
                self._listen(kind, params)
        except (OSError, ValidationError) as error:
            self.engine.facts.diagnose("ERROR", f"problem initializing: {error}")
            return StartResult(started=False, running=False, error=str(error))
        self.service.started = True
        self.engine.facts.diagnose("INFO", "initialization complete")
        return result

    def _listen(self, kind: str, params: dict[str, Any]) -> None:
        listener: HttpListener | SmtpListener
        try:
            if kind == "http":
                tls = self._tls(params) if params.get("use_tls") else None
                listener = HttpListener(params, self.service, tls)
            else:
                listener = SmtpListener(params, self.engine.reception, self._tls(params))
        except OSError as error:
            raise ValidationError(f"bind to {params['listen']}: {error}") from None
        threading.Thread(
            target=listener.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True
        ).start()
        self._listeners.append(listener)
        self.engine.facts.diagnose("INFO", f"{kind} listener on {params['listen']}")

    def _tls(self, params: Mapping[str, Any]) -> ssl.SSLContext:
        """The policy's certificate, else a self-signed one, as kumod does."""
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder) / "certificate", Path(folder) / "key"
            if params.get("tls_certificate") and params.get("tls_private_key"):
                certificate.write_bytes(
                    self.engine.facts.load_key_source(params["tls_certificate"])
                )
                pem = self.engine.facts.load_key_source(params["tls_private_key"])
            else:
                name = params.get("hostname") or "localhost"
                made, pem = self_signed(name)
                certificate.write_bytes(made)
            key.touch(mode=0o600)
            key.write_bytes(pem)
            return server_context(str(certificate), str(key))

    def run(self) -> None:
        """Deliver until ``stop``."""
        next_upkeep = 0.0
        while not self._stop.is_set():
            self.engine.wakeup.clear()
            self.engine.settle_logs()
            self.engine.scheduler.promote(self.engine.clock.now())
            self._dispatch()
            now = time.monotonic()
            if now >= next_upkeep:
                self._upkeep()
                next_upkeep = now + _TICK
            self.engine.wakeup.wait(self._pause())

    def _pause(self) -> float:
        due = self.engine.scheduler.next_due()
        if due is None:
            return _TICK
        return min(_TICK, max(0.005, due - self.engine.clock.now()))

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
            self.engine.wake()

    def _upkeep(self) -> None:
        engine, now = self.engine, self.engine.clock.now()
        for files in engine.configuration.log_files:
            files.expire(now)
        for queue in list(engine.scheduler.ready.values()):
            if queue.lock.acquire(blocking=False):
                try:
                    engine.dispatcher.close_idle(queue, now)
                finally:
                    queue.lock.release()
        if now >= engine.monitor.due and engine.monitor.check():
            engine.facts.diagnose("INFO", "config epoch changed")
            engine.bump_epoch()

    def request_stop(self) -> None:
        self._stop.set()
        self.engine.facts.stopping = True
        self.engine.wake()

    def shutdown(self) -> None:
        """Stop listening, let running deliveries end, save what is queued."""
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self.engine.settle_logs()
        self.engine.stop()
        self.engine.facts.diagnose("INFO", "Shutdown completed OK!")


def self_signed(name: str) -> tuple[bytes, bytes]:
    """A certificate that nobody trusts, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM), pem
