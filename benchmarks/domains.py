"""Seconds of `ping8 domains check` against a DNS server on loopback.

`python -m benchmarks.domains [DOMAINS ...]`. The server is a process of its own and answers each
query after 10 ms, the delay of a resolver nearby; every owner has published everything.
"""

import asyncio
import contextlib
import io
import json
import multiprocessing
import multiprocessing.connection
import resource
import sys
import tempfile
import time
from pathlib import Path

import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from ops import domains
from policy.dns import answers
from policy.settings import Settings
from tests.examples import SMALL, settings_of

_DELAY = 0.01


class Answering(asyncio.DatagramProtocol):
    """Answers with what a domain's owner was asked to publish."""

    def __init__(self, published: dict[tuple[str, str], str]) -> None:
        self.published = published

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        response = dns.message.make_response(dns.message.from_wire(data))
        response.flags |= dns.flags.RA
        question = response.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text(omit_final_dot=True)
        if value := self.published.get((name, kind)):
            found = dns.rrset.from_text(question.name, 60, dns.rdataclass.IN, kind, value)
            response.answer.append(found)
        sent = response.to_wire()
        asyncio.get_running_loop().call_later(
            _DELAY,
            lambda: self.transport.sendto(sent, address),  # type: ignore[attr-defined]
        )


def serve(ready: multiprocessing.connection.Connection, settings: Settings) -> None:
    """The DNS server."""
    published = {(".", "NS"): "a.root."}
    for domain in settings.domains:
        for record in answers.questions(settings, domain):
            text = f'"{record.value}"' if record.type == "TXT" else f"{record.value}."
            published[record.name, record.type] = text

    async def run() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Answering(published), local_addr=("127.0.0.1", 0)
        )
        ready.send(transport.get_extra_info("sockname")[1])
        await asyncio.Event().wait()

    asyncio.run(run())


def measure(count: int, folder: Path) -> tuple[float, float, int]:
    """Seconds, seconds of CPU, and bytes of the answers."""
    names = [f"shop-{number}.example" for number in range(count)]
    lines = "".join(f"- {{name: {name}, dkim: {{keys: brand}}}}\n" for name in names)
    (folder / "small.domains.yaml").write_text(lines, "utf-8")
    config = {f"ping8-mail:{key}": SMALL[key] for key in ("zone", "operators", "webhook")}
    config |= {"aws:region": "eu-central-1", "ping8-mail:domainsFile": "small.domains.yaml"}
    (folder / "Pulumi.small.yaml").write_text(json.dumps({"config": config}), "utf-8")
    here, there = multiprocessing.Pipe()
    settings = settings_of(SMALL, domains=[{"name": n, "dkim": {"keys": "brand"}} for n in names])
    process = multiprocessing.Process(target=serve, args=(there, settings), daemon=True)
    process.start()
    server = f"127.0.0.1:{here.recv()}"
    start, cpu = time.monotonic(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        domains.check(
            "small",
            every=False,
            pages=None,
            resolvers=(server,),
            as_json=False,
            directory=folder,
        )
    seconds, cpu = time.monotonic() - start, time.process_time() - cpu
    process.terminate()
    return seconds, cpu, answers.file_of("small", folder).stat().st_size


def main() -> None:
    """Prints a line for each number of domains."""
    for count in [int(text) for text in sys.argv[1:]] or [10_000]:
        with tempfile.TemporaryDirectory() as folder:
            seconds, cpu, size = measure(count, Path(folder))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{count:,} domains, {4 * count:,} records: {seconds:.1f} s, {cpu:.1f} s of CPU, "
            f"{peak:.0f} MiB, {size / 1024 / 1024:.1f} MiB of answers"
        )


if __name__ == "__main__":
    main()
