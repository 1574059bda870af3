"""What kumod talks to in a benchmark: a server that takes every message, and PING8's receiver.

Each runs in a process of its own, so that they and the client do not wait for one another.
"""

import asyncio
import json
import multiprocessing
from multiprocessing.sharedctypes import Synchronized

_FORK = multiprocessing.get_context("fork")
_END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """Speaks SMTP with pipelining, and counts the messages."""

    def __init__(self, count: "Synchronized[int]") -> None:
        self.count, self.pending, self.in_data = count, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.pending += data
        answers = b""
        while True:
            end = _END if self.in_data else b"\r\n"
            text, found, rest = self.pending.partition(end)
            if not found:
                break
            self.pending = rest
            answers += self._answer(text)
        if answers:
            self.transport.write(answers)
        if answers.startswith(b"221"):
            self.transport.close()

    def _answer(self, text: bytes) -> bytes:
        if self.in_data:
            self.in_data = False
            self.count.value += 1
            return b"250 2.0.0 ok\r\n"
        match text[:4].upper():
            case b"DATA":
                self.in_data = True
                return b"354 go on\r\n"
            case b"EHLO":
                return b"250-sink\r\n250-8BITMIME\r\n250 PIPELINING\r\n"
            case b"QUIT":
                return b"221 bye\r\n"
        return b"250 2.0.0 ok\r\n"


class Receiver(asyncio.Protocol):
    """Answers each POST with 200, and counts the events."""

    def __init__(self, count: "Synchronized[int]") -> None:
        self.count, self.pending = count, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while True:
            head, found, rest = self.pending.partition(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            if not found or len(rest) < size:
                return
            body, self.pending = json.loads(rest[:size]), rest[size:]
            self.count.value += len(body) if isinstance(body, list) else 1
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


class Peer:
    """A server in a process of its own; `count` is what it has taken."""

    def __init__(self, protocol: "type[Sink | Receiver]", address: tuple[str, int]) -> None:
        self._count = _FORK.Value("l", 0)
        self._process = _FORK.Process(target=self._run, args=(protocol, address), daemon=True)
        self._process.start()

    def _run(self, protocol: "type[Sink | Receiver]", address: tuple[str, int]) -> None:
        async def serve() -> None:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(lambda: protocol(self._count), *address, backlog=100)
            await server.serve_forever()

        asyncio.run(serve())

    @property
    def count(self) -> int:
        return int(self._count.value)

    def shutdown(self) -> None:
        self._process.terminate()

    def server_close(self) -> None:
        self._process.join(10)
