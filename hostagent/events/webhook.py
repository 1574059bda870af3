"""PING8's endpoint, for replays: one connection, one event a POST."""

import http.client
import json
import re
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostagent.errors import AgentError
from hostagent.events.record import ID_FIELD, encoded

ENVIRONMENT = Path("/etc/default/kumomta")
SETTINGS = Path("/opt/kumomta/etc/policy/data/webhook.json")
_SECONDS = 30
_LONGEST_ANSWER = 200


@dataclass(frozen=True)
class Answer:
    """Whether PING8 took the event, and what it said, in one line without the token.

    `status` is that of HTTP; None where none came.
    """

    taken: bool
    text: str
    status: int | None = None


def read_environment(path: Path) -> dict[str, str]:
    """The variables of an environment file as systemd reads those that we write."""
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
        self._settings = settings
        self._connection: http.client.HTTPConnection | None = None

    def post(self, record: str, event_id: str) -> Answer:
        """Sends one event; a broken connection is an answer too, and the next event makes a new
        one."""
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        body = encoded(record, event_id, in_array=self._settings.get("batch_size", 1) > 1)
        headers = {
            "Content-Type": "application/json",
            "X-PING8-Kumo-Token": self._token,
            ID_FIELD: event_id,
        }
        try:
            connection = self._connected()
            connection.request("POST", path, body=body, headers=headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(False, self._presentable(str(error) or type(error).__name__))
        taken = 200 <= response.status < 300 and not self._says_failure(text)
        text = self._presentable(f"{response.status} {text}")
        return Answer(taken, text, response.status)

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
                    host, port, timeout=_SECONDS, context=context
                )
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
        return self._connection

    def _says_failure(self, text: str) -> bool:
        field = self._settings.get("failure_field")
        if field is None:
            return False
        try:
            value = json.loads(text)[field]
        except KeyError:
            return False
        except (ValueError, TypeError):
            return True
        return value is False or (isinstance(value, (str, list, dict)) and bool(value))

    def _presentable(self, text: str) -> str:
        text = text.replace(self._token, "[token]")
        return re.sub(r"[\x00-\x1f\x7f]+", " ", text)[:_LONGEST_ANSWER].strip()
