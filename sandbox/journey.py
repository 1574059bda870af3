"""The journey of one message, each step checked: from PING8's request to PING8's webhook."""

import json
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import spf
import urllib3
from checkdmarc.utils import get_base_domain

from ops.doctor.resolver import Resolver
from ops.receiver import signatures
from ops.stack import Deployment, Egress
from sandbox.process import SandboxError, wait_until
from sandbox.world import World

CORRELATION = {
    "X-PING8-Campaign-Id": "campaign-7",
    "X-PING8-Task-Id": "task-8",
    "X-PING8-Recipient-Id": "recipient-9",
    "X-PING8-Api-Log-Id": "log-10",
    "X-PING8-Message-Id": "message-11",
    "X-PING8-Sending-Profile-Id": "profile-12",
}
_PATIENCE = 60

_NESTED = (
    "--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
    "--i\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n--i--\r\n\r\n--o--\r\n"
)
_TEXT = "text/plain; charset=utf-8"
_SHAPES = {
    "empty": (_TEXT, ""),
    "empty lines at the end": (_TEXT, "Hello\r\n\r\n \r\n"),
    "8-bit": (_TEXT, "Größe: 20 €\r\n"),
    "a long line": (_TEXT, "x" * 5000 + "\r\n"),
    "nested parts, a folded header": ("multipart/mixed;\r\n boundary=o", _NESTED),
}
"""Bodies whose signature an upgrade of kumod could break: content type and text."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One checked step: its name and what was seen."""

    name: str
    saw: str


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A message for one recipient, recognisable by its subject."""

    sender: str
    recipient: str
    subject: str
    content_type: str = _TEXT
    body: str = "Hello from the sandbox.\r\n"

    @property
    def raw(self) -> str:
        """The message as PING8 composes it."""
        headers = {
            "From": f"News <{self.sender}>",
            "To": self.recipient,
            "Subject": self.subject,
            "List-Unsubscribe": "<https://app.ping8.test/unsubscribe/1>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "MIME-Version": "1.0",
            "Content-Type": self.content_type,
            **CORRELATION,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{lines}\r\n{self.body}"


def letter(sender: str, recipient: str, **shape: str) -> Letter:
    """A new letter with a unique subject."""
    subject = f"Sandbox {uuid.uuid4().hex}"
    return Letter(sender=sender, recipient=recipient, subject=subject, **shape)


class Ping8:
    """PING8's part: injects over HTTPS and trusts the authorities in `trusted` (PEM)."""

    def __init__(self, name: str, address: str, token: str, trusted: str) -> None:
        self._name = name
        self._token = token
        self._host = urllib3.HTTPSConnectionPool(
            address,
            server_hostname=self._name,
            assert_hostname=self._name,
            ssl_context=ssl.create_default_context(cadata=trusted),
            timeout=20,
            retries=False,
        )

    def ask(self, method: str, path: str, token: str, **more: Any) -> urllib3.BaseHTTPResponse:
        """One request; an empty `token` sends none."""
        headers = {"Host": self._name} | ({"Authorization": f"Bearer {token}"} if token else {})
        return self._host.request(method, path, headers=headers, **more)

    def inject(self, one: Letter, *, token: str | None = None) -> tuple[int, Mapping[str, Any]]:
        """Status and answer."""
        body = {
            "envelope_sender": f"bounce@{one.sender.rpartition('@')[2]}",
            "recipients": [{"email": one.recipient}],
            "content": one.raw,
        }
        used = self._token if token is None else token
        try:
            answer = self.ask("POST", "/api/inject/v1", used, json=body)
        except urllib3.exceptions.HTTPError as error:
            raise SandboxError(f"PING8 cannot inject at {self._name}: {error}") from error
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status, answer.json() if is_json else {}

    def trusts(self) -> bool:
        """Whether the injection host has a certificate that PING8 trusts."""
        try:
            self.ask("GET", "/", "")
        except urllib3.exceptions.HTTPError:
            return False
        return True


def travel(
    one: Letter, deployment: Deployment, ping8: Ping8, world: World, resolver: Resolver
) -> Iterator[Step]:
    """Sends the letter and yields each step once it is verified.

    Raises `SandboxError` at the first that is not, with what was seen.
    """
    refused, _ = ping8.inject(one, token="")
    yield _step("refused without the token", f"HTTP {refused}", refused == 401)
    status, answer = ping8.inject(one)
    yield _step(
        "injected with the token",
        f"HTTP {status}, {json.dumps(answer)}",
        status == 200 and answer.get("success_count") == 1,
    )
    seen = await_message(world, one.subject)
    domain = next(d for d in deployment.settings.domains if d.name == one.sender.rpartition("@")[2])
    pool = deployment.settings.pool(deployment.settings.brand(domain.brand).pool)
    sources = [deployment.egress[name] for name in pool.sources]
    yield from _as_recipient_saw_it(seen, sources, resolver)
    yield from _authenticated(seen, domain.name, resolver)
    yield _signed_whatever_the_body(one, ping8, world, resolver)
    yield from _events(world, one, pool.name)


def await_message(world: World, subject: str) -> Mapping[str, Any]:
    """The message with that subject, once a recipients' server accepted it."""
    found: list[Mapping[str, Any]] = []

    def taken() -> bool:
        text = f"Subject: {subject}"
        found.extend(seen for seen in world.messages() if text in str(seen["message"]))
        return bool(found)

    wait_until(taken, "a recipients' server to accept the message", seconds=_PATIENCE, every=0.1)
    return found[0]


def await_events(world: World, subject: str, types: set[str]) -> list[Mapping[str, Any]]:
    """PING8's events about the message with that subject, once all types are there."""
    end = time.monotonic() + _PATIENCE
    while True:
        calls = [call for call in world.events() if call["taken"]]
        found: list[Mapping[str, Any]] = [
            record | {"token_matched": call["token_matched"]}
            for call in calls
            for record in _records(str(call["body"]))
            if subject == record.get("headers", {}).get("Subject")
        ]
        have = {str(record["type"]) for record in found}
        if types <= have:
            return found
        if time.monotonic() > end:
            raise SandboxError(f"PING8 accepted {sorted(have)} of {sorted(types)} in {_PATIENCE} s")
        time.sleep(0.1)


def _records(body: str) -> list[dict[str, Any]]:
    parsed = json.loads(body)
    return parsed if isinstance(parsed, list) else [parsed]


def _as_recipient_saw_it(
    seen: Mapping[str, Any], sources: Sequence[Egress], resolver: Resolver
) -> Iterator[Step]:
    source = next((source for source in sources if source.public == seen["peer"]), None)
    expected = ", ".join(each.public for each in sources)
    yield _step(
        "delivered from the pool's Elastic IP",
        f"{seen['peer']} (pool: {expected})",
        source is not None,
    )
    pointers = resolver.pointers(str(seen["peer"]))
    yield _step(
        "EHLO name is the PTR of the address",
        f"EHLO {seen['ehlo']}, PTR {', '.join(pointers)}",
        source is not None and pointers == [seen["ehlo"]] == [source.ehlo],
    )
    yield _step("sent over TLS", str(seen["tls"]), bool(seen["tls"]))


def _verified(seen: Mapping[str, Any], resolver: Resolver) -> list[bool]:
    """Whether each DKIM signature verifies."""
    raw = str(seen["message"]).encode("latin-1")
    return [one.valid for one in signatures(raw, resolver)]


def _signed_whatever_the_body(one: Letter, ping8: Ping8, world: World, resolver: Resolver) -> Step:
    others = {
        name: letter(one.sender, one.recipient, content_type=content_type, body=body)
        for name, (content_type, body) in _SHAPES.items()
    }
    for other in others.values():
        ping8.inject(other)
    bad = [
        name
        for name, other in others.items()
        if not (good := _verified(await_message(world, other.subject), resolver)) or not all(good)
    ]
    saw = f"{len(others)} shapes, not verified: {', '.join(bad) or 'none'}"
    return _step("DKIM verified whatever the body", saw, not bad)


def _authenticated(seen: Mapping[str, Any], domain: str, resolver: Resolver) -> Iterator[Step]:
    good = _verified(seen, resolver)
    yield _step("DKIM verified against DNS", f"{len(good)} signatures", bool(good) and all(good))
    sender = str(seen["mail_from"])
    result, why = spf.check2(i=str(seen["peer"]), s=sender, h=str(seen["ehlo"]))
    yield _step("SPF passes for the address", f"{sender}: {result}, {why}", result == "pass")
    envelope = sender.rpartition("@")[2]
    record = resolver.txt(f"_dmarc.{domain}")
    aligned = get_base_domain(envelope) == get_base_domain(domain)
    yield _step(
        "DMARC aligned",
        f"From {domain}, envelope {envelope}, {', '.join(record)}",
        aligned and len(record) == 1,
    )


def _events(world: World, one: Letter, pool: str) -> Iterator[Step]:
    events = await_events(world, one.subject, {"Reception", "Delivery"})
    delivery = next(event for event in events if event["type"] == "Delivery")
    yield _step(
        "queued for the brand's pool",
        f"{delivery['egress_pool']} via {delivery['egress_source']}",
        delivery["egress_pool"] == pool,
    )
    lacking = [
        name
        for event in events
        for name, value in CORRELATION.items()
        if event["headers"].get(name) != value
    ]
    yield _step(
        "events arrived with the token and all correlation values",
        f"{len(events)} events, missing {sorted(set(lacking)) or 'nothing'}",
        not lacking and all(event["token_matched"] for event in events),
    )


def _step(name: str, saw: str, good: bool) -> Step:
    if not good:
        raise SandboxError(f"{name}: failed; saw {saw}")
    return Step(name=name, saw=saw)
