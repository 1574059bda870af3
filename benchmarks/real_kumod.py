"""The policy on a real kumod, in a network and mount namespace of its own; needs root.

Everything is on loopback: the hosts' private addresses, KumoProxy, the recipients' server and
PING8's receiver. Recipients are address literals, so that no DNS is asked.
"""

import contextlib
import http.client
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import Peer, Receiver, Sink
from policy.render import data
from policy.render.domains import sender_domain_file
from policy.render.environment import mta_environment
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
PROXY = "10.9.9.9"
_HANDLER = "kumo.on('http_message_generated', reception.receive)\n"
_ENTRY = "from benchmarks.real_kumod import inside; inside()"
_SETUP = """
mount --make-rprivate /
ip link set lo up
mount -t tmpfs none /opt; mount -t tmpfs none /var/spool; mount -t tmpfs none /var/log
mkdir -p /opt/kumomta/etc; ln -s "$1/sbin" "$1/share" /opt/kumomta/
"""
_BARE = """
local kumo = require 'kumo'
local PROXY = os.getenv 'PROXY'
kumo.on('init', function()
  for _, name in ipairs { 'data', 'meta' } do
    kumo.define_spool { name = name, path = '/var/spool/kumomta/' .. name, kind = 'RocksDB' }
  end
  kumo.configure_local_logs { log_dir = '/var/log/kumomta' }
  kumo.start_http_listener { listen = '127.0.0.1:8000' }
end)
if PROXY then
  kumo.on('get_queue_config', function()
    return kumo.make_queue_config { egress_pool = 'proxied' }
  end)
  kumo.on('get_egress_pool', function(name)
    return kumo.make_egress_pool { name = name, entries = { { name = 'proxied' } } }
  end)
  kumo.on('get_egress_source', function(name)
    return kumo.make_egress_source {
      name = name,
      socks5_proxy_server = PROXY .. ':5000',
      socks5_proxy_source_address = PROXY,
    }
  end)
end
kumo.on('get_egress_path_config', function()
  return kumo.make_egress_path { enable_tls = 'Disabled', smtp_port = 2525, connection_limit = 10 }
end)
"""


@dataclass(frozen=True)
class Variant:
    """What is measured: a policy (none: a bare one), and whether its events are waited for."""

    settings: Settings | None = None
    proxied: bool = False
    handler: bool = True
    events: bool = False


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

    def __init__(
        self,
        chosen: Settings | None,
        *,
        domains: int = 1,
        proxied: bool = False,
        handler: bool = True,
    ) -> None:
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
            if proxied:
                self.environment["PROXY"] = PROXY
                self._proxy(PROXY, 5000)
        else:
            self._install(chosen, domains)
        if not handler:
            policy.write_text(policy.read_text().replace(_HANDLER, ""))
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
        return Peer(Sink, (SINK, SINK_PORT)), Peer(Receiver, ("127.0.0.1", RECEIVER))

    def _install(self, chosen: Settings, domains: int) -> None:
        addresses, secrets = example_addresses(chosen), throw_away_secrets(chosen)
        for source in addresses.sources.values():
            ip("addr", "replace", f"{source.private}/32", "dev", "lo")
        for file in (*data.policy_files(chosen, "mta-1", addresses), *dkim_files(secrets)):
            path = Path(file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        write_domains(Path("/opt/kumomta/etc/policy/data"), domains)
        Path("/var/spool/kumomta/ping8/outbox").mkdir(parents=True)
        written = mta_environment(chosen, addresses, secrets).content.decode()
        self.environment |= dict(line.split("=", 1) for line in shlex.split(written)) | {
            "PING8_WEBHOOK_TOKEN": TOKEN,
            "PING8_WEBHOOK_URL": f"http://127.0.0.1:{RECEIVER}/events",
        }
        self._start([sys.executable, "-m", "hostagent", "outbox"])
        for proxy in chosen.proxies:
            self._proxy(addresses.proxies[proxy.name].private, proxy.port)

    def _proxy(self, address: str, port: int) -> None:
        ip("addr", "replace", f"{address}/32", "dev", "lo")
        self._start(["/opt/kumomta/sbin/proxy-server", "--listen", f"{address}:{port}"])

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


def write_domains(folder: Path, count: int) -> None:
    """Give the host so many sender domains that are like example.com."""
    tables = {path: json.loads(path.read_text()) for path in folder.glob("sender_domains/*.json")}
    one = tables[folder / sender_domain_file("example.com")].get("example.com")
    for number in range(count - 1 if one else 0):
        name = f"d{number}.example"
        tables[folder / sender_domain_file(name)][name] = one
    for path, content in tables.items():
        path.write_text(json.dumps(content))


@contextlib.contextmanager
def world(variant: Variant, *, domains: int = 1) -> Iterator[World]:
    """A running world; its programs end with it."""
    made = World(
        variant.settings, domains=domains, proxied=variant.proxied, handler=variant.handler
    )
    try:
        yield made
    finally:
        made.stop()


def ip(*words: str) -> None:
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
_QUIET, _BATCHES = plain(webhook=_NO_EVENTS), plain(webhook={"url": _URL, "batchSize": 100})
_SIGNED = "signed with RSA-2048"
VARIANTS = {
    "bare kumod": Variant(),
    "bare kumod through KumoProxy": Variant(proxied=True),
    "policy without its reception handler": Variant(_QUIET, handler=False),
    "not signed": Variant(plain(webhook=_NO_EVENTS, **_UNSIGNED)),
    _SIGNED: Variant(_QUIET),
    "signed, log hook": Variant(plain(), events=True),
    "signed, log hook with batches of 100": Variant(_BATCHES, events=True),
    "signed, outbox": Variant(plain(webhook={"url": _URL, "transport": "outbox"})),
}
MESSAGES, ROUNDS = 2000, 3
GROWTH = (10, 1_000, 100_000)
_HOW = f"""`KUMOMTA_ROOT=DIR python -m benchmarks.policy` measured these variants in
turn, {ROUNDS} times each, and kept the lowest CPU and the highest rate. Messages of 2.9 kB, one
recipient each; client, KumoProxy, sink and receiver run on the same two cores. A debug build is
slower than a release, so compare the rows with each other."""


def measure(variant: Variant, *, domains: int = 1) -> tuple[float, float]:
    """CPU of kumod in microseconds a message, and messages a second while they last.

    The last tenth is not timed: a batch that is not full waits a second for more.
    """
    each = 1 + 2 * variant.events
    with world(variant, domains=domains) as made:

        def handled() -> int:
            return int(made.sink.count + made.receiver.count * variant.events)

        made.inject(300)
        _until(lambda: handled() >= 300 * each, made.log)
        before, began, first = made.cpu(), time.monotonic(), handled()
        made.inject(MESSAGES)
        _until(lambda: handled() - first >= MESSAGES * each * 0.9, made.log)
        took, done = time.monotonic() - began, handled() - first
        _until(lambda: handled() - first >= MESSAGES * each, made.log)
        return (made.cpu() - before) * 1e6 / MESSAGES, done / each / took


def inside() -> None:
    """In the namespaces: measure in turn, several times, and print the least disturbed of each."""
    ip("addr", "add", f"{SINK}/32", "dev", "lo")
    runs = [(name, variant, 1) for name, variant in VARIANTS.items()]
    runs += [
        (f"signed, {domains:,} sender domains", VARIANTS[_SIGNED], domains) for domains in GROWTH
    ]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in runs}
    for _ in range(ROUNDS):
        for name, variant, domains in runs:
            found[name].append(measure(variant, domains=domains))
            print(name, *found[name][-1], file=sys.stderr)
    least = {
        name: (min(cpu for cpu, _ in seen), max(rate for _, rate in seen))
        for name, seen in found.items()
    }
    print(json.dumps(least))


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
    """The measured part of the document: a table, and the same as bars."""
    found: dict[str, tuple[float, float]] = json.loads(isolated(root, _ENTRY))
    table = ["| variant | CPU, us a message | messages a second |", "|---|---|---|"]
    table += [f"| {name} | {cpu:.0f} | {rate:.0f} |" for name, (cpu, rate) in found.items()]
    widest, longest = max(cpu for cpu, _ in found.values()), max(map(len, found))
    bars = [
        f"{name:{longest}} {'█' * round(40 * cpu / widest)} {cpu:.0f} us"
        for name, (cpu, _) in found.items()
    ]
    return "\n".join(["", "", _HOW, "", *table, "", "```text", *bars, "```", ""])
