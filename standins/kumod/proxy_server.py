"""The command ``proxy-server``: SOCKS5 with source addresses, as KumoProxy."""

import argparse
import asyncio
import errno
import ipaddress
import json
import signal
import socket
import struct
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from standins.kumod.durations import parse_duration
from standins.kumod.engine import Kumod
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.facts import SystemClock
from standins.kumod.main import LABEL, Panic, node_id
from standins.kumod.metrics import as_text
from standins.kumod.socks import (
    BIND,
    CONNECT,
    IPV4,
    IPV6,
    NO_AUTH,
    NO_METHOD,
    USER_PASSWORD,
    VERSION,
    encode_address,
)
from standins.kumod.system_resolver import SystemResolver

_FAILURES = {
    errno.ENETUNREACH: 3,
    errno.EHOSTUNREACH: 4,
    errno.ECONNREFUSED: 5,
    errno.ETIMEDOUT: 6,
}
_FAILED, _TTL_EXPIRED, _NOT_SUPPORTED = 1, 6, 7
_CHUNK = 65_536

Authenticate = Callable[[str, str, dict[str, str]], bool]


class _Refused(Exception):
    """The client's request is answered with this status and ends."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Proxy:
    """Listeners and what they have done."""

    def __init__(self, authenticate: Authenticate | None = None) -> None:
        self.counters: dict[str, Counter[str]] = defaultdict(Counter)
        self.outbound: Counter[tuple[str, str]] = Counter()
        self.active: Counter[str] = Counter()
        self._authenticate = authenticate

    async def listen(
        self, address: str, *, timeout: float, require_auth: bool
    ) -> asyncio.AbstractServer:
        host, _, port = address.rpartition(":")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.counters["proxy_connections_accepted_total"][address] += 1
            self.active[address] += 1
            try:
                await self._session(reader, writer, address, timeout, require_auth)
                self.counters["proxy_connections_completed_total"][address] += 1
            except _Refused as refused:
                # KumoProxy counts a request that it answered with a failure as completed.
                writer.write(bytes([VERSION, refused.status, 0]) + encode_address("0.0.0.0", 0))  # noqa: S104 - no address
                self.counters["proxy_connections_completed_total"][address] += 1
            except (OSError, EOFError, TimeoutError):
                self.counters["proxy_connections_failed_total"][address] += 1
            finally:
                self.active[address] -= 1
                writer.close()

        return await asyncio.start_server(serve, host.strip("[]"), int(port), backlog=1024)

    async def _session(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        listener: str,
        timeout: float,
        require_auth: bool,
    ) -> None:
        await asyncio.wait_for(self._greet(reader, writer, require_auth), timeout)
        source: tuple[str, int] | None = None
        while True:
            command, target = await asyncio.wait_for(_read_request(reader), timeout)
            if command == BIND and source is None:
                source = _check_bind(target)
                writer.write(bytes([VERSION, 0, 0]) + encode_address(*source))
                continue
            if command != CONNECT:
                raise _Refused(_NOT_SUPPORTED)
            remote = await self._connect(target, source, listener, timeout)
            used = remote[1].get_extra_info("sockname")[:2]
            writer.write(bytes([VERSION, 0, 0]) + encode_address(*used))
            await self._copy_both((reader, writer), remote, listener)
            return

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, require_auth: bool
    ) -> None:
        version, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        if version != VERSION:
            raise OSError("not SOCKS5")
        if USER_PASSWORD in offered:
            writer.write(bytes([VERSION, USER_PASSWORD]))
            await self._log_in(reader, writer)
        elif NO_AUTH in offered and not require_auth:
            writer.write(bytes([VERSION, NO_AUTH]))
        else:
            writer.write(bytes([VERSION, NO_METHOD]))
            await writer.drain()
            raise OSError("no acceptable method")

    async def _log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, length = await reader.readexactly(2)
        user = (await reader.readexactly(length)).decode("utf-8", "replace")
        (length,) = await reader.readexactly(1)
        password = (await reader.readexactly(length)).decode("utf-8", "replace")
        peer, local = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        meta = {"peer_address": "{}:{}".format(*peer[:2]),
                "local_address": "{}:{}".format(*local[:2])}  # fmt: skip
        good = self._authenticate is not None and self._authenticate(user, password, meta)
        writer.write(bytes([1, 0 if good else 1]))
        await writer.drain()
        if not good:
            raise OSError("authentication failed")

    async def _connect(
        self,
        target: tuple[str, int],
        source: tuple[str, int] | None,
        listener: str,
        timeout: float,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.outbound[listener, f"{target[0]}:{target[1]}"] += 1
        local = (source[0], 0) if source else None
        try:
            return await asyncio.wait_for(
                asyncio.open_connection(*target, local_addr=local), timeout
            )
        except TimeoutError:
            raise _Refused(_TTL_EXPIRED) from None
        except OSError as error:
            raise _Refused(_FAILURES.get(error.errno or 0, _FAILED)) from None

    async def _copy_both(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        remote: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        listener: str,
    ) -> None:
        try:
            await asyncio.gather(
                self._copy(client[0], remote[1], "proxy_bytes_client_to_dest_total", listener),
                self._copy(remote[0], client[1], "proxy_bytes_dest_to_client_total", listener),
            )
        finally:
            remote[1].close()

    async def _copy(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        counter: str,
        listener: str,
    ) -> None:
        while data := await reader.read(_CHUNK):
            self.counters[counter][listener] += len(data)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: {"help": name, "type": "counter", "value": {"listener": dict(counts)}}
            for name, counts in self.counters.items()
        }
        rows = [
            {"listener": listener, "destination": destination, "@": count}
            for (listener, destination), count in self.outbound.items()
        ]
        if rows:
            name = "proxy_outbound_connections_total"
            found[name] = {"help": name, "type": "counter", "value": rows}
        name = "proxy_active_connections"
        active = {"listener": dict(self.active)} if self.active else None
        return found | {name: {"help": name, "type": "gauge", "value": active}}


async def _read_request(reader: asyncio.StreamReader) -> tuple[int, tuple[str, int]]:
    version, command, _, kind = await reader.readexactly(4)
    if version != VERSION:
        raise OSError("not SOCKS5")
    if kind not in (IPV4, IPV6):
        raise _Refused(_FAILED)
    address = await reader.readexactly(4 if kind == IPV4 else 16)
    (port,) = struct.unpack("!H", await reader.readexactly(2))
    return command, (str(ipaddress.ip_address(address)), port)


def _check_bind(address: tuple[str, int]) -> tuple[str, int]:
    """The source address must be on an interface of this host."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind(address)
            host, port = probe.getsockname()[:2]
            return str(host), int(port)
    except OSError as error:
        raise _Refused(_FAILURES.get(error.errno or 0, _FAILED)) from None


async def _serve_status(proxy: Proxy, address: str) -> asyncio.AbstractServer:
    host, _, port = address.rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            _, path, _ = request.split(b" ", 2)
            status, kind, body = _status_answer(proxy, path.decode("ascii", "replace"))
            head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        except (OSError, EOFError, ValueError, TimeoutError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(serve, host.strip("[]"), int(port))


def _status_answer(proxy: Proxy, path: str) -> tuple[str, str, bytes]:
    match path.partition("?")[0]:
        case "/proxy/status":
            # Its access control list has no rule for it, not even for trusted hosts.
            return "401 Unauthorized", "text/plain", b"not permitted GET on /proxy/status"
        case "/metrics":
            return "200 OK", "text/plain", as_text(proxy.metrics()).encode()
        case "/metrics.json":
            return "200 OK", "application/json", json.dumps(proxy.metrics()).encode()
    return "404 Not Found", "text/plain", b"Not Found"


class ProxyPolicy:
    """The Lua configuration: its listeners and its judgement of passwords."""

    def __init__(self, path: str) -> None:
        self.engine = Kumod(path, clock=SystemClock(), dns=SystemResolver(), modules=("proxy",))
        context = self.engine.pool.fresh()
        if not context.has_handler("proxy_init"):
            raise KumoError("the configuration registers no proxy_init")
        context.call("proxy_init")
        self.has_authentication = context.has_handler("proxy_server_auth_rfc1929")
        self.engine.pool.put(context)

    def authenticate(self, user: str, password: str, meta: dict[str, str]) -> bool:
        context = self.engine.pool.get()
        try:
            return context.call("proxy_server_auth_rfc1929", user, password, meta) is True
        except PolicyError as error:
            _say(f"ERROR proxy_server_auth_rfc1929: {error}")
            return False
        finally:
            self.engine.pool.put(context)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the log


async def _run(options: argparse.Namespace, policy: ProxyPolicy | None) -> None:
    judge = policy.authenticate if policy and policy.has_authentication else None
    proxy = Proxy(judge)
    servers = []
    for address in options.listen:
        servers.append(
            await proxy.listen(address, timeout=options.timeout_seconds, require_auth=False)
        )
        _say(f"INFO proxy listener on {address}")
    for kind, params in policy.engine.listeners if policy else ():
        if kind == "proxy":
            servers.append(
                await proxy.listen(
                    params["listen"],
                    timeout=parse_duration(params.get("timeout", 60)) or 60.0,
                    require_auth=bool(params.get("require_auth")),
                )
            )
        else:
            servers.append(await _serve_status(proxy, params["listen"]))
        _say(f"INFO {kind} listener on {params['listen']}")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    for server in servers:
        server.close()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="proxy-server", description="A stand-in for KumoProxy; not KumoMTA."
    )
    parser.add_argument("--listen", action="append", default=[])
    parser.add_argument("--proxy-config")
    parser.add_argument("--timeout-seconds", type=float, default=60.0)
    parser.add_argument("--no-splice", action="store_true")
    parser.add_argument("--version", action="version", version=f"proxy-server {LABEL}")
    options = parser.parse_args(argv)
    if not options.listen and not options.proxy_config:
        _say("Error: No listeners defined! use the --listen option to specify at least one!")
        return 1
    try:
        policy = ProxyPolicy(options.proxy_config) if options.proxy_config else None
        node_id()
        asyncio.run(_run(options, policy))
    except (PolicyError, KumoError, OSError) as error:
        _say(f"Error: {error}")
        return 1
    except Panic as panic:
        _say(f"panicked: {panic}")
        return 101
    return 0


if __name__ == "__main__":
    sys.exit(main())
