"""PING8's endpoint: one connection, no redirects, and limits on time and size."""

import http.client
import json
import re
import ssl
import threading
import urllib.parse
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hostagent import contract
from hostagent.errors import AgentError
from hostagent.events.record import ID_FIELD, array

ENVIRONMENT = Path(contract.ENVIRONMENT)
SETTINGS = Path(contract.WEBHOOK_SETTINGS)
TOKEN_FIELD = "X-PING8-Kumo-Token"  # noqa: S105 - a header's name
_SECONDS = 30.0
_LONGEST_ANSWER = 200
_MOST_READ = 64 * 1024

Verdict = Literal["delivered", "retry", "failing", "refused"]
"""What an answer means for the events of a POST (policy/kumomta/answers.lua).

`retry`: PING8 is down, or rejects our token; `failing`: it is up and fails on what it was
sent, perhaps because of one event; `refused`: it will never take it.
"""

_AWAY = frozenset({401, 403, 408, 421, 425, 429, 502, 503, 504})


@dataclass(frozen=True)
class Answer:
    """The outcome of a POST, and PING8's answer on one line without the token.

    `status` is the HTTP status; None without an answer.
    """

    verdict: Verdict
    text: str
    status: int | None = None

    @property
    def taken(self) -> bool:
        """Whether PING8 has the events."""
        return self.verdict == "delivered"


def classify(status: int, body: str, failure_field: str | None) -> Verdict:
    """The meaning of a status and a body. A redirect is an error: events do not follow it."""
    if 200 <= status < 300:
        failed = failure_field is not None and _says_failure(body, failure_field)
        return "failing" if failed else "delivered"
    if status < 400 or status in _AWAY:
        return "retry"
    return "failing" if status >= 500 else "refused"


def _says_failure(body: str, field: str) -> bool:
    try:
        content = json.loads(body)
        # kumod's parser rejects NaN, infinite numbers and lone surrogates.
        json.dumps(content, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return True
    if not isinstance(content, (dict, list)):
        return True
    value = content.get(field) if isinstance(content, dict) else None
    return value is False or (isinstance(value, (str, list, dict)) and bool(value))


def _says_its_end(response: http.client.HTTPResponse) -> bool:
    """Whether the headers say where the body ends: http.client accepts incomplete headers."""
    return (
        response.length is not None
        or response.chunked
        or response.version == 10
        or "close" in (response.getheader("Connection") or "").lower()
    )


def read_environment(path: Path) -> dict[str, str]:
    """The variables of an environment file, read as systemd does."""
    found = re.findall(r'^(\w+)="((?:[^"\\]|\\.)*)"$', path.read_text("utf-8"), re.MULTILINE)
    return {name: re.sub(r'\\(["\\$`])', r"\1", value) for name, value in found}


class Webhook:
    """Posts events as the policy does."""

    def __init__(self, environment: Mapping[str, str], settings: Mapping[str, Any]) -> None:
        try:
            self._token = environment["PING8_WEBHOOK_TOKEN"]
            self._url = urllib.parse.urlsplit(environment["PING8_WEBHOOK_URL"])
        except KeyError as error:
            raise AgentError(f"{error.args[0]} is not in {ENVIRONMENT}", "push again") from None
        self.settings = settings
        self._connection: http.client.HTTPConnection | None = None

    def post(self, record: str, event_id: str) -> Answer:
        """Sends one event; a broken connection is also an outcome."""
        return self.post_all([(event_id, record)])

    def post_all(self, records: Sequence[tuple[str, str]]) -> Answer:
        """Sends events (texts by id) in one POST."""
        in_array = len(records) > 1 or self.settings.get("batch_size", 1) > 1
        body = array(records) if in_array else records[0][1]
        headers = {
            "Content-Type": "application/json",
            TOKEN_FIELD: self._token,
            ID_FIELD: records[0][0],
        }
        try:
            status, text = self.send(body.encode(), headers)
        except (OSError, http.client.HTTPException) as error:
            return Answer("retry", self._presentable(str(error) or type(error).__name__))
        verdict = classify(status, text, self.settings.get("failure_field"))
        return Answer(verdict, self._presentable(f"{status} {text}"), status)

    def send(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and text of PING8's answer, even of a redirect. Raises OSError or HTTPException
        if there is none."""
        reused = self._connection is not None
        try:
            try:
                return self._exchange(body, headers)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # It may have closed an idle connection.
                self.close()
                if not reused:
                    raise
                return self._exchange(body, headers)
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and the beginning of the text. The time limit covers the whole exchange: a
        very slow receiver would never exceed a limit per read."""
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        connection = self._connected()
        over = threading.Event()

        def give_up() -> None:
            over.set()
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(2)

        limit = threading.Timer(self._limit(), give_up)
        limit.daemon = True
        limit.start()
        try:
            connection.request("POST", path, body=body, headers=dict(headers))
            response = connection.getresponse()
            if not _says_its_end(response):
                raise http.client.IncompleteRead(b"")
            text = response.read(_MOST_READ)
            if over.is_set():
                raise TimeoutError(f"no whole answer within {self._limit():.0f} s")
            left = response.length if response.length is not None else 0
            if left and len(text) < _MOST_READ:
                raise http.client.IncompleteRead(text, left)
            if not response.isclosed() and (left or response.read(1)):
                # Longer than anybody needs: the rest is not read.
                self.close()
            return response.status, text.decode("utf-8", "replace")
        finally:
            limit.cancel()

    def _limit(self) -> float:
        said = re.fullmatch(r"([0-9]+)(s|m)", str(self.settings.get("timeout", "")))
        return int(said[1]) * (60.0 if said[2] == "m" else 1.0) if said else _SECONDS

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port = self._url.hostname or "", self._url.port
            if self._url.scheme == "https":
                context = ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(
                    host, port, timeout=self._limit(), context=context
                )
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=self._limit())
        return self._connection

    def _presentable(self, text: str) -> str:
        text = text.replace(self._token, "[token]")
        return re.sub(r"[\x00-\x1f\x7f]+", " ", text)[:_LONGEST_ANSWER].strip()
