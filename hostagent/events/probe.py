"""Verb `webhook`: whether PING8's endpoint answers from this host, and takes our token."""

import argparse
import http.client
import json
import socket
import ssl
import sys
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from hostagent.errors import AgentError
from hostagent.events.webhook import ENVIRONMENT, SETTINGS, Webhook, read_environment

_SECONDS = 10.0


def run(arguments: list[str]) -> int:
    """Prints what the endpoint answered, as JSON; never the token."""
    parser = argparse.ArgumentParser(prog="ping8-agent webhook")
    parser.add_argument("--test-event", action="store_true", help="send an event of type Test")
    options = parser.parse_args(arguments)
    try:
        settings = json.loads(SETTINGS.read_bytes()) if options.test_event else None
        environment = read_environment(ENVIRONMENT)
    except (OSError, ValueError) as error:
        print(f"ping8: {error}; push again", file=sys.stderr)
        return 1
    print(json.dumps(probe(environment, settings)), flush=True)
    return 0


def probe(environment: Mapping[str, str], settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Connects; with webhook settings, posts one test event as the policy would."""
    url = environment.get("PING8_WEBHOOK_URL", "")
    error = connection_error(url)
    answer: dict[str, Any] = {"url": url, "reachable": not error, "error": error, "status": None}
    if error or settings is None:
        return answer
    webhook = Webhook(environment, settings)
    try:
        said = webhook.post(*_test_event())
    except AgentError as wrong:
        return {**answer, "error": str(wrong)}
    finally:
        webhook.close()
    return {**answer, "status": said.status, "taken": said.taken, "answer": said.text}


def connection_error(url: str) -> str:
    """Why the endpoint cannot be reached; empty if it can."""
    parts = urllib.parse.urlsplit(url)
    if not parts.hostname:
        return "PING8_WEBHOOK_URL has no host"
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=_SECONDS, context=context
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_SECONDS)
        connection.connect()
    except OSError as error:
        return str(error) or type(error).__name__
    connection.close()
    return ""


def _test_event() -> tuple[str, str]:
    now = int(time.time())
    event = {
        "type": "Test",
        "ping8_test": True,
        "timestamp": now,
        "host": socket.gethostname(),
        "headers": {"Subject": "test event of ping8 doctor"},
    }
    return json.dumps(event), f"test-{now}"
