"""Verb `webhook`: whether PING8's endpoint answers from this host, and takes our token."""

import argparse
import http.client
import json
import pathlib
import shlex
import ssl
import time
import urllib.parse
from typing import Any

_ENVIRONMENT = pathlib.Path("/etc/default/kumomta")
_SECONDS = 10.0


def run(arguments: list[str]) -> int:
    """Prints what the endpoint answered, as JSON; never the token."""
    parser = argparse.ArgumentParser(prog="ping8-agent webhook")
    parser.add_argument(
        "--test-event", action="store_true", help="send an event of type Test, marked as such"
    )
    options = parser.parse_args(arguments)
    environment = read_environment(_ENVIRONMENT)
    answer = probe(
        environment["PING8_WEBHOOK_URL"],
        environment["PING8_WEBHOOK_TOKEN"] if options.test_event else None,
    )
    print(json.dumps(answer), flush=True)
    return 0


def read_environment(path: pathlib.Path) -> dict[str, str]:
    """Variables of the environment file, unquoted."""
    lines = path.read_text("utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: "".join(shlex.split(value)) for name, value in pairs}


def probe(url: str, token: str | None) -> dict[str, Any]:
    """Connects; with a token, posts one marked event and tells the status."""
    parts = urllib.parse.urlsplit(url)
    answer: dict[str, Any] = {"url": url, "reachable": False, "status": None, "error": ""}
    connection = http.client.HTTPSConnection(
        parts.hostname or "",
        parts.port or 443,
        timeout=_SECONDS,
        context=ssl.create_default_context(),
    )
    try:
        connection.connect()
        answer["reachable"] = True
        if token is not None:
            event = {"type": "Test", "ping8_test": True, "timestamp": int(time.time())}
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(
                "POST",
                target or "/",
                body=json.dumps(event),
                headers={"Content-Type": "application/json", "X-PING8-Kumo-Token": token},
            )
            answer["status"] = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        answer["error"] = str(error)
    finally:
        connection.close()
    return answer
