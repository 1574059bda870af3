"""The policy on a real kumod, in a network and mount namespace of its own; needs root.

Everything is on loopback: the hosts' private addresses, KumoProxy, the recipients' server and
PING8's receiver. Recipients are address literals, so that no DNS is asked.
"""

import contextlib
import http.client
import http.server
import json
import os
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from policy.render import data
from policy.render.example import example_addresses, throw_away_secrets
from policy.render.mta import dkim_files
from policy.settings import Settings
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import CORRELATION, TOKEN

SINK = "203.0.113.25"
SINK_PORT, RECEIVER = 2525, 8443
_FIELDS = {
    "From": "PING8 <news@example.com>",
    "Subject": "Hello",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain",
}
_ENTRY = "import sys; from benchmarks.real_kumod import inside; inside(sys.argv[1])"
_SETUP = """
mount --make-rprivate /
ip link set lo up
mount -t tmpfs none /opt; mount -t tmpfs none /var/spool; mount -t tmpfs none /var/log
mkdir -p /opt/kumomta/etc; ln -s "$1/sbin" "$1/share" /opt/kumomta/
"""
_BARE = """
local kumo = require 'kumo'
kumo.on('init', function()
  for _, name in ipairs { 'data', 'meta' } do
    kumo.define_spool { name = name, path = '/var/spool/kumomta/' .. name, kind = 'RocksDB' }
  end
  kumo.configure_local_logs { log_dir = '/var/log/kumomta' }
  kumo.start_http_listener { listen = '127.0.0.1:8000' }
end)
kumo.on('get_egress_path_config', function()
  return kumo.make_egress_path { enable_tls = 'Disabled', smtp_port = 2525 }
end)
"""


class _Sink(socketserver.StreamRequestHandler):
    """A server that takes every message."""

    def handle(self) -> None:
        self.wfile.write(b"220 sink ESMTP\r\n")
        in_data = False
        for line in self.rfile:
            verb = line[:4].upper()
            if in_data:
                self.server.text.append(line)  # type: ignore[attr-defined]
                if line != b".\r\n":
                    continue
                in_data = False
                self.server.count += 1  # type: ignore[attr-defined]
            elif verb == b"DATA":
                in_data = True
                self.wfile.write(b"354 go on\r\n")
                continue
            elif verb == b"EHLO":
                self.wfile.write(b"250-sink\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
                continue
            self.wfile.write(b"250 2.0.0 ok\r\n")
            if verb == b"QUIT":
                return


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 100

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        super().__init__(address, handler)
        self.count, self.text = 0, list[bytes]()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.text.append(json.dumps(body).encode())  # type: ignore[attr-defined]
        self.server.count += len(body) if isinstance(body, list) else 1  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing to the terminal."""


def injection(recipient: str, **headers: str) -> str:
    """The body of a request: a message of 2.9 kB for one recipient."""
    fields = {**_FIELDS, "To": recipient, **CORRELATION, **headers}
    body = "\r\n".join(["Good morning, this is a line of text."] * 60)
    text = "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + f"\r\n{body}\r\n"
    message = {"envelope_sender": "b@example.com", "content": text}
    return json.dumps(
        {**message, "recipients": [{"email": recipient}], "template_dialect": "Static"}
    )


class World:
    """One kumod with a policy, what it talks to, and what it spends."""

    def __init__(self, chosen: Settings | None, *, domains: int = 1) -> None:
        for place in ("/opt/kumomta/etc", "/var/spool/kumomta", "/var/log/kumomta"):
            subprocess.run(["rm", "-rf", place], check=True)
            Path(place).mkdir(parents=True)
        self.sink, self.receiver = self.servers()
        self.environment = {**os.environ, "KUMO_NODE_ID_PATH": "/var/spool/kumomta/nodeid"}
        self.programs: list[subprocess.Popen[bytes]] = []
        policy = Path("/opt/kumomta/etc/policy/init.lua")
        if chosen is None:
            policy.parent.mkdir()
            policy.write_text(_BARE)
        else:
            self._install(chosen, domains)
        command = ["/opt/kumomta/sbin/kumod", "--policy", str(policy), "--user", "root"]
        self.validation = subprocess.run(
            [*command, "--validate"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.log = Path(tempfile.mkdtemp()) / "kumod.log"
        self.kumod = self._start(command)
        _until(lambda: _answers("127.0.0.1", 8000), self.log)

    def servers(self) -> tuple[Any, Any]:
        """The recipients' server and PING8's endpoint; each counts what it has taken."""
        return (
            _Server(("0.0.0.0", SINK_PORT), _Sink),
            _Server(("127.0.0.1", RECEIVER), _Receiver),
        )

    def _install(self, chosen: Settings, domains: int) -> None:
        addresses, secrets = example_addresses(chosen), throw_away_secrets(chosen)
        hosts = {
            place.private for place in (*addresses.proxies.values(), *addresses.sources.values())
        }
        for address in hosts:
            _ip("addr", "replace", f"{address}/32", "dev", "lo")
        for file in (*data.policy_files(chosen, addresses), *dkim_files(secrets)):
            path = Path(file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        table = Path("/opt/kumomta/etc/policy/data/sender_domains.json")
        content = json.loads(table.read_text())
        for number in range(domains - len(content) if content else 0):
            content[f"d{number}.example"] = content["example.com"]
        table.write_text(json.dumps(content))
        Path("/var/spool/kumomta/ping8/outbox").mkdir(parents=True)
        self.environment |= data.environment(chosen, addresses) | {
            "PING8_WEBHOOK_TOKEN": TOKEN,
            "PING8_WEBHOOK_URL": f"http://127.0.0.1:{RECEIVER}/events",
        }
        self._start([sys.executable, "-m", "hostagent", "outbox"])
        for proxy in chosen.proxies:
            listen = f"{addresses.proxies[proxy.name].private}:{proxy.port}"
            self._start(["/opt/kumomta/sbin/proxy-server", "--listen", listen])

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        log = getattr(self, "log", Path(os.devnull))
        with log.open("ab") as out:
            program = subprocess.Popen(command, env=self.environment, stdout=out, stderr=out)
        self.programs.append(program)
        return program

    def cpu(self) -> float:
        """Seconds of CPU that kumod has used."""
        fields = Path(f"/proc/{self.kumod.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def inject(self, count: int, *, recipient: str = f"u@[{SINK}]", **headers: str) -> list[Any]:
        """Injects messages of 2.9 kB, one recipient each, from a few connections."""
        request = injection(recipient, **headers)
        answers: list[Any] = []

        def lane(share: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=60)
            for _ in range(share):
                connection.request(
                    "POST", "/api/inject/v1", request, {"Content-Type": "application/json"}
                )
                answers.append(json.loads(connection.getresponse().read()))

        lanes = [
            threading.Thread(target=lane, args=(count // 4 + (i < count % 4),)) for i in range(4)
        ]
        for thread in lanes:
            thread.start()
        for thread in lanes:
            thread.join()
        return answers

    def stop(self) -> None:
        for program in reversed(self.programs):
            program.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(10)
            program.kill()
        for server in (self.sink, self.receiver):
            server.shutdown()
            server.server_close()


@contextlib.contextmanager
def world(chosen: Settings | None, *, domains: int = 1) -> Iterator[World]:
    """A running world; its programs end with it."""
    made = World(chosen, domains=domains)
    try:
        yield made
    finally:
        made.stop()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/api/check-liveness/v1")
        return connection.getresponse().status == 200
    except OSError:
        return False


def _until(condition: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(log.read_text()[-2000:])
        time.sleep(0.05)


def plain(**chosen: Any) -> Settings:
    """Settings of a small environment without look-ups and limits that would hold a run back."""
    shaping = {
        "community": False,
        "mtaSts": False,
        "overrides": {
            # Port 25 of every address is kumod's own here.
            "default": {
                "smtp_port": SINK_PORT,
                "max_message_rate": "100000/s",
                "max_connection_rate": "100000/s",
            }
        },
    }
    return settings(**{"shaping": shaping, **chosen})


_URL = "https://app.example.com/events"
_NO_EVENTS = {"url": _URL, "leaveOut": [
    "Reception", "InboundReception", "Delivery", "Bounce", "TransientFailure", "Expiration",
    "AdminBounce", "OOB", "Feedback", "Rejection", "Delayed",
]}  # fmt: skip
_UNSIGNED = {"domains": [], "reception": {"unknownSenders": "accept"}}
VARIANTS: dict[str, Settings | None] = {
    "bare kumod": None,
    "policy, unsigned, no events": plain(webhook=_NO_EVENTS, **_UNSIGNED),
    "policy, RSA-2048, no events": plain(webhook=_NO_EVENTS),
    "the same, log hook": plain(),
    "the same, batches of 100": plain(webhook={"url": _URL, "batchSize": 100}),
    "the same, outbox's log": plain(webhook={"url": _URL, "transport": "outbox"}),
}
MESSAGES = 1500
GROWTH = (10, 1_000, 100_000)


def measure(chosen: Settings | None, *, domains: int = 1) -> tuple[float, float]:
    """CPU of kumod in microseconds a message, and messages a second."""
    events = (
        chosen is not None
        and chosen.webhook.transport == "log-hook"
        and not set(chosen.webhook.leave_out) & {"Delivery"}
    )
    with world(chosen, domains=domains) as made:
        made.inject(200)
        _until(lambda: made.sink.count >= 200, made.log)
        before, began, seen = made.cpu(), time.monotonic(), made.receiver.count
        made.inject(MESSAGES)
        _until(lambda: made.sink.count >= 200 + MESSAGES, made.log)
        if events:
            _until(lambda: made.receiver.count - seen >= 2 * MESSAGES, made.log)
        took = time.monotonic() - began
        return (made.cpu() - before) * 1e6 / MESSAGES, MESSAGES / took


def inside(_root: str) -> None:
    """In the namespaces: measure, and write the table."""
    _ip("addr", "add", f"{SINK}/32", "dev", "lo")
    lines = ["| variant | CPU, us a message | messages a second |", "|---|---|---|"]
    for name, chosen in VARIANTS.items():
        spent, rate = measure(chosen)
        lines.append(f"| {name} | {spent:.0f} | {rate:.0f} |")
    for domains in GROWTH:
        spent, rate = measure(VARIANTS["policy, RSA-2048, no events"], domains=domains)
        lines.append(
            f"| RSA-2048, no events, {domains:,} sender domains | {spent:.0f} | {rate:.0f} |"
        )
    print("\n".join(lines))


def isolated(root: Path, entry: str, *arguments: str) -> str:
    """Run Python text in fresh namespaces, with the tree at /opt/kumomta; what it printed."""
    command = [
        "unshare",
        "--net",
        "--mount",
        "--",
        "sh",
        "-ec",
        _SETUP + 'root=$1 python=$2 entry=$3; shift 3; exec "$python" -c "$entry" "$root" "$@"',
    ]
    return subprocess.run(
        [*command, "sh", str(root.resolve()), sys.executable, entry, *arguments],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip


def measured_part(root: Path) -> str:
    """The measured part of the document."""
    return "\n\n" + isolated(root, _ENTRY)
