"""The command ``kumod``."""

import argparse
import errno
import os
import signal
import sys
import uuid
from pathlib import Path

from standins.kumod.api_core import VERSION
from standins.kumod.engine import Engine
from standins.kumod.facts import POLICY, reason
from standins.kumod.privileges import PrivilegeError, drop_to
from standins.kumod.server import Server, real_engine

LABEL = f"{VERSION} (ping8-mail stand-in)"
NODE_ID = "/opt/kumomta/etc/.nodeid"


class Panic(Exception):
    """The program exits at once."""


def node_id() -> str:
    """As every program of KumoMTA at start: the id of KUMO_NODE_ID, or of a file, which is written
    where it is missing. Without the right or the folder an id of this machine does, anything else
    is a panic.
    """
    if given := os.environ.get("KUMO_NODE_ID"):
        return _parsed(given, "Env var KUMO_NODE_ID")
    path = Path(os.environ.get("KUMO_NODE_ID_PATH", NODE_ID))
    try:
        return _parsed(path.read_text("utf-8"), f'File "{path}" content')
    except FileNotFoundError:
        pass
    except OSError as error:
        raise Panic(f'File "{path}" could not be read: {reason(error)}') from None
    fresh = str(uuid.uuid4())
    try:
        path.write_text(fresh, "utf-8")
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT):
            return f"00000000-0000-1000-8000-{uuid.getnode():012x}"
        raise Panic(f'Failed to write node id to "{path}": {reason(error)}') from None
    return fresh


def _parsed(text: str, where: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise Panic(f"{where} `{text}` is not a valid UUID") from None


def parser(program: str) -> argparse.ArgumentParser:
    text = f"A stand-in for KumoMTA's {program}; not KumoMTA."
    made = argparse.ArgumentParser(prog=program, description=text)
    made.add_argument("--version", action="version", version=f"{program} {LABEL}")
    return made


def say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - a command


def main(argv: list[str] | None = None) -> int:
    arguments = parser("kumod")
    arguments.add_argument("--policy", default=f"{POLICY}/init.lua")
    arguments.add_argument("--user")
    arguments.add_argument("--validate", action="store_true")
    options = arguments.parse_args(argv)
    # kumod shares its spool and logs with its group.
    os.umask(0o007)
    try:
        drop_to(options.user)
        engine = real_engine(options.policy)
        engine.facts.node_id = node_id()
    except PrivilegeError as error:
        say(f"Error: {error}")
        return 1
    except Panic as panic:
        say(f"panicked: {panic}")
        return 101
    if not options.validate:
        return _serve(engine)
    result = engine.validate()
    for text in result.errors:
        say(text)
    return result.exit


def _serve(engine: Engine) -> int:
    engine.facts.diagnose("INFO", f"kumod {LABEL} starts; NodeId is {engine.facts.node_id}")
    server = Server(engine)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_signal: server.request_stop())
    result = server.start()
    if not result.started:
        say(f"Error: {result.error}")
        if result.running:
            signal.pause()
        return 1
    server.run()
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
