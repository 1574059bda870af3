"""HTTP requests to a server on this host, with limits on time and size."""

import http.client
import json
import time
import urllib.parse
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


def get(url: str, deadline: Deadline) -> tuple[int, bytes]:
    """Status and body. A slow server is also given up."""
    parts = urllib.parse.urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    end = Deadline(deadline.left())
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=deadline.left()
    )
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


def get_json(url: str, deadline: Deadline) -> Any:
    """The JSON of a good answer."""
    status, body = get(url, deadline)
    if status != 200:
        raise WebError(f"{url} answers {status}")
    try:
        return json.loads(body)
    except ValueError:
        raise WebError(f"{url} does not answer JSON") from None


def ask(url: str, method: str, body: dict[str, Any], deadline: Deadline) -> Any:
    """A request to kumod's admin API; the JSON of its answer, if that is JSON."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(
        where.hostname or "", where.port, timeout=deadline.left()
    )
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, where.path, json.dumps(body), headers)
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
