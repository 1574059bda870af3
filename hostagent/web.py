"""HTTP requests to a server on this host, with limits on time and size."""

import http.client
import json
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

_EACH = 5.0
_CHUNK = 1 << 16
_MOST_BYTES = 64 << 20


class WebError(Exception):
    """No answer, or an unusable one."""


class Deadline:
    """How long a whole series of questions may take."""

    def __init__(self, limit: float) -> None:
        self._end = time.monotonic() + limit

    def left(self, most: float = _EACH) -> float:
        """Seconds for the next step; a WebError if none are left."""
        left = min(most, self._end - time.monotonic())
        if left <= 0:
            raise WebError("there is no time left")
        return left


def connect(url: str, deadline: Deadline) -> http.client.HTTPConnection:
    """To a server on this host, so the name in its certificate does not matter."""
    parts = urllib.parse.urlsplit(url)
    host, left = parts.hostname or "", deadline.left()
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=left)
    context = ssl._create_unverified_context()  # noqa: S323
    return http.client.HTTPSConnection(host, parts.port, timeout=left, context=context)


def get(url: str, deadline: Deadline) -> tuple[int, bytes]:
    """Status and body. A slow server is also given up."""
    parts = urllib.parse.urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    end = Deadline(deadline.left())
    connection = connect(url, deadline)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = bytearray()
        while chunk := answer.read1(_CHUNK):
            end.left()
            body += chunk
            if len(body) > _MOST_BYTES:
                raise WebError(f"{url} sends more than {_MOST_BYTES} bytes")
    except (OSError, http.client.HTTPException) as error:
        raise WebError(f"{url}: {error or type(error).__name__}") from None
    finally:
        connection.close()
    return answer.status, bytes(body)


def ask(url: str, method: str, body: Mapping[str, Any], deadline: Deadline) -> Any:
    """The JSON of a good answer to one with JSON; an empty table if it has none."""
    connection = connect(url, deadline)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, urllib.parse.urlsplit(url).path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read(1 << 20).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise WebError(f"{url}: {error or type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise WebError(f"{url} answers {answer.status}: {' '.join(text.split())[:200]}")
    try:
        return json.loads(text) if text.strip() else {}
    except ValueError:
        return {}


def get_json(url: str, deadline: Deadline) -> Any:
    """The JSON of a good answer."""
    status, body = get(url, deadline)
    if status != 200:
        raise WebError(f"{url} answers {status}")
    try:
        return json.loads(body)
    except ValueError:
        raise WebError(f"{url} does not answer JSON") from None
