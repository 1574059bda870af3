"""The recipients' mail servers, which record what they see."""

import json
import ssl
import time
import uuid
from asyncio import get_running_loop
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.world.recipients import RECIPIENTS, Seen, mail_exchanger

_SIZE = 50 * 2**20


class Handler:
    """Answers as the recipient's domain does and appends each recipient's fate to the record."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._known: set[tuple[str, str]] = set()

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, _: Envelope, name: str, responses: list[str]
    ) -> list[str]:
        """Greets with the address it sees, as many exchangers do."""
        session.host_name = name
        peer: Any = session.peer
        return [f"250-{server.hostname} Hello {name} [{peer[0]}]", *responses[1:]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        recipient = RECIPIENTS.get(address.rpartition("@")[2].lower())
        pair = (envelope.mail_from or "", address)
        answer = recipient.answer if recipient else "550 5.7.1 Relaying denied"
        if recipient and recipient.later and pair in self._known:
            answer = recipient.later
        self._known.add(pair)
        peer: Any = session.peer
        answer = str(answer).replace("{peer}", peer[0])
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
        tls: Any = session.ssl
        seen = Seen(
            id=uuid.uuid4().hex,
            time=time.time(),
            peer=peer[0],
            ehlo=str(session.host_name or ""),
            tls=tls["cipher"][1] if tls else None,
            # aiosmtpd leaves the empty sender in its brackets.
            mail_from=(envelope.mail_from or "").strip("<>"),
            recipient=address,
            answer=answer,
            message=message,
        )
        with self._record.open("a") as record:
            record.write(json.dumps(asdict(seen)) + "\n")


async def listen(record: Path, tls: ssl.SSLContext) -> None:
    """Takes mail for every domain that is not down, in the running loop."""
    handler, loop = Handler(record), get_running_loop()
    for name, recipient in RECIPIENTS.items():

        def protocol(hostname: str = mail_exchanger(name)) -> SMTP:
            return SMTP(
                handler, hostname=hostname, tls_context=tls, data_size_limit=_SIZE, loop=loop
            )

        if recipient.answer is not None:
            await loop.create_server(protocol, recipient.address, 25)
