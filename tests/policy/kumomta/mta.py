"""An MTA host in process: the rendered policy on the stand-in for kumod, and its surroundings."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

from policy.addresses import Addresses
from policy.contract import POLICY
from policy.render import data
from policy.render.example import example_addresses, throw_away_secrets
from policy.render.mta import dkim_files
from policy.secrets import MtaSecrets
from policy.settings import Settings
from standins.kumod import (
    FakeClock,
    FakeResolver,
    HttpRequest,
    HttpResponse,
    Kumod,
    SmtpAttempt,
    SmtpReply,
)
from tests.policy.kumomta.environments import settings

TOKEN = "webhook-token-of-the-tests-0123456789"
CORRELATION = {
    "X-PING8-Campaign-Id": "campaign-1",
    "X-PING8-Task-Id": "task-2",
    "X-PING8-Recipient-Id": "recipient-3",
    "X-PING8-Api-Log-Id": "api-log-4",
    "X-PING8-Message-Id": "message-5",
    "X-PING8-Sending-Profile-Id": "profile-6",
}
QUEUE = "ping8.log-hook"
Receiver = Callable[[HttpRequest], HttpResponse]


def take(_request: HttpRequest) -> HttpResponse:
    """A receiver that takes every event."""
    return HttpResponse(status=200, body=b"ok")


def answer(status: int, body: bytes = b"") -> Receiver:
    """A receiver that always answers so."""
    return lambda _request: HttpResponse(status=status, body=body)


def accept(_attempt: SmtpAttempt) -> SmtpReply:
    """A mail server that takes every message."""
    return SmtpReply(code=250, content="2.0.0 ok")


@dataclass(kw_only=True)
class Mta:
    """One MTA host. `receiver` is PING8's endpoint, `exchanger` every recipient's mail server."""

    root: Path
    settings: Settings = field(default_factory=settings)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    receiver: Receiver = take
    exchanger: Callable[[SmtpAttempt], SmtpReply] = accept
    resolver: FakeResolver = field(default_factory=FakeResolver)
    options: Mapping[str, Any] = field(default_factory=dict)
    addresses: Addresses = field(init=False)
    secrets: MtaSecrets = field(init=False)
    kumod: Kumod = field(init=False)

    def __post_init__(self) -> None:
        self.addresses = example_addresses(self.settings)
        self.secrets = throw_away_secrets(self.settings)
        self.write_files()
        self.kumod = self.new_kumod()

    def write_files(self) -> None:
        """What a push would put on the host."""
        files = (
            *data.policy_files(self.settings, "mta-1", self.addresses),
            *dkim_files(self.secrets),
        )
        for file in files:
            path = self.path(file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        self.path("/var/spool/kumomta/ping8/outbox").mkdir(parents=True, exist_ok=True)

    def new_kumod(self, policy: str = "init.lua") -> Kumod:
        """A kumod on this host; a second one is the first after a restart."""
        return Kumod(
            f"{POLICY}/{policy}",
            env=self.variables(),
            root=self.root,
            http=self._receive,
            smtp=self._exchange,
            dns=self.resolver,
            **{"clock": FakeClock(), "max_context_age": math.inf, **self.options},
        )

    def _receive(self, request: HttpRequest) -> HttpResponse:
        return self.receiver(request)

    def _exchange(self, attempt: SmtpAttempt) -> SmtpReply:
        return self.exchanger(attempt)

    def variables(self) -> dict[str, str]:
        """The environment file's variables; None in `environment` leaves one out."""
        variables: dict[str, str | None] = {
            **data.environment(self.settings, self.addresses),
            "PING8_WEBHOOK_TOKEN": TOKEN,
            "PING8_TRACE_KEY": self.secrets.trace_key,
            **self.environment,
        }
        return {name: value for name, value in variables.items() if value is not None}

    def path(self, live: str) -> Path:
        """Where a live path of the host lies in this test."""
        return self.root / live.lstrip("/")

    def start(self) -> Mta:
        """Starts kumod; a failure is the test's."""
        result = self.kumod.start()
        assert result.started, result.error
        return self

    def inject(
        self,
        *,
        sender: str = "bounce-7@example.com",
        recipients: tuple[str, ...] = ("u@example.net",),
        headers: Mapping[str, str] | None = None,
        body: str = "Good morning",
    ) -> dict[str, Any]:
        """Injects a message as PING8 does; `headers` go over the usual ones, "" takes one out."""
        fields = {
            "From": "PING8 <news@example.com>",
            "To": "u@example.net",
            "Subject": "Hello",
            **CORRELATION,
            **(headers or {}),
        }
        lines = [f"{name}: {value}" for name, value in fields.items() if value != ""]
        return self.inject_raw(
            "\r\n".join([*lines, "", body]), sender=sender, recipients=recipients
        )

    def inject_raw(
        self,
        content: str,
        *,
        sender: str = "bounce-7@example.com",
        recipients: tuple[str, ...] = ("u@example.net",),
    ) -> dict[str, Any]:
        """Injects a message by its text."""
        return self.kumod.inject(
            {
                "envelope_sender": sender,
                "recipients": [{"email": recipient} for recipient in recipients],
                "content": content,
                "template_dialect": "Static",
            }
        )

    def wait(self, seconds: float) -> None:
        """Lets time pass without kumod's look at its files every ten seconds, which takes long."""
        due, self.kumod.monitor.due = self.kumod.monitor.due, math.inf
        self.kumod.advance(seconds)
        self.kumod.monitor.due = due

    @property
    def sent(self) -> list[SmtpAttempt]:
        """Messages that went to a recipient's mail server."""
        return self.kumod.delivered_messages

    def posts(self) -> list[HttpRequest]:
        """Requests to PING8's endpoint."""
        return self.kumod.http_requests

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The records posted to PING8, of one type if it is given."""
        records = []
        for request in self.posts():
            body = json.loads(request.body)
            records += body if isinstance(body, list) else [body]
        return [record for record in records if kind in (None, record["type"])]

    def local_logs(self) -> list[dict[str, Any]]:
        """The records of the local logs, once kumod has stopped."""
        lines = []
        for segment in sorted(self.path("/var/log/kumomta").iterdir()):
            with (
                segment.open("rb") as file,
                zstandard.ZstdDecompressor().stream_reader(file) as text,
            ):
                lines += text.read().splitlines()
        return [json.loads(line) for line in lines]

    def dead_letters(self) -> list[dict[str, Any]]:
        """The rows of the dead-letter store."""
        store = self.path("/var/spool/kumomta/ping8/dead-letters.sqlite")
        if not store.is_file():
            return []
        with closing(sqlite3.connect(store)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute("SELECT * FROM dead_letters ORDER BY rowid")]
