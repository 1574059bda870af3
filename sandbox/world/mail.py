"""The recipients' mail server: a process of the outside world that writes down what it sees."""

import asyncio
import contextlib
import json
import signal
import ssl
import sys
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.world.recipients import RECIPIENTS, Seen, Treatment, answer_to, mail_exchanger

_SIZE = 50 * 2**20


class Handler:
    """Answers as the recipient's domain does and appends each recipient's fate to the record."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._known: set[tuple[str, str]] = set()

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, _: Envelope, name: str, responses: list[str]
    ) -> list[str]:
        """Says whom it sees, as many exchangers do."""
        session.host_name = name
        peer: Any = session.peer
        return [f"250-{server.hostname} Hello {name} [{peer[0]}]", *responses[1:]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        recipient = RECIPIENTS.get(address.rpartition("@")[2].lower())
        if recipient is None:
            answer = "550 5.7.1 Relaying denied"
        else:
            pair = (envelope.mail_from or "", address)
            answer = answer_to(recipient.treatment, known=pair in self._known)
            self._known.add(pair)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        else:
            self._write(session, envelope, address, answer, None)
        return answer

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        answer = "250 2.0.0 Ok: queued"
        for address in envelope.rcpt_tos:
            self._write(session, envelope, address, answer, raw.decode("latin-1"))
        return answer

    def _write(
        self, session: Session, envelope: Envelope, address: str, answer: str, message: str | None
    ) -> None:
        peer: Any = session.peer
        seen = Seen(
            id=uuid.uuid4().hex,
            time=time.time(),
            peer=peer[0],
            ehlo=str(session.host_name or ""),
            tls=_tls(session),
            # aiosmtpd leaves the empty sender in its brackets.
            mail_from=(envelope.mail_from or "").strip("<>"),
            recipient=address,
            answer=answer,
            message=message,
        )
        with self._record.open("a") as record:
            record.write(json.dumps(asdict(seen)) + "\n")


def _tls(session: Session) -> str | None:
    info: Any = session.ssl
    if not info:
        return None
    version: str = info.get("cipher", (None, "TLS"))[1]
    return version


async def serve(folder: Path, chain: Path, key: Path) -> None:
    """Listen for every domain that is not down, until told to end."""
    folder.mkdir(parents=True, exist_ok=True)
    ready = folder / "mail.ready"
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain, key)
    handler = Handler(folder / "mail.jsonl")
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    async with contextlib.AsyncExitStack() as servers:
        for name, recipient in RECIPIENTS.items():
            if recipient.treatment is Treatment.DOWN:
                continue

            def protocol(hostname: str = mail_exchanger(name)) -> SMTP:
                return SMTP(
                    handler, hostname=hostname, tls_context=tls, data_size_limit=_SIZE, loop=loop
                )

            server = await loop.create_server(protocol, recipient.address, 25)
            await servers.enter_async_context(server)
        ready.touch()
        try:
            await ended.wait()
        finally:
            ready.unlink(missing_ok=True)


if __name__ == "__main__":
    asyncio.run(serve(*(Path(argument) for argument in sys.argv[1:])))
