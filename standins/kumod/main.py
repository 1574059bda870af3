"""The command ``kumod``."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from standins.kumod.api_core import VERSION
from standins.kumod.errors import PolicyError
from standins.kumod.paths import POLICY
from standins.kumod.privileges import PrivilegeError, drop_to
from standins.kumod.server import Server, ServerEngine

LABEL = f"{VERSION} (ping8-mail stand-in)"


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="kumod", description="A stand-in for KumoMTA's kumod; not KumoMTA."
    )
    parser.add_argument("--policy", default=f"{POLICY}/init.lua")
    parser.add_argument("--user")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--script", action="store_true")
    parser.add_argument("--diag-log-dir")
    parser.add_argument("--diag-format", default="full")
    parser.add_argument("--version", action="version", version=f"kumod {LABEL}")
    parser.add_argument("script_args", nargs="*")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    options = _arguments(sys.argv[1:] if argv is None else argv)
    # kumod shares its spool and logs with its group.
    os.umask(0o007)
    if not options.script or options.user is not None:
        try:
            drop_to(options.user)
        except PrivilegeError as error:
            print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - a command
            return 1
    engine = ServerEngine(options.policy)
    if options.validate:
        return _validate(engine)
    if options.script:
        return _script(engine, options.script_args)
    return _serve(engine)


def _validate(engine: ServerEngine) -> int:
    result = engine.validate()
    for error in result.errors:
        print(error, file=sys.stderr)  # noqa: T201 - a command
    return result.exit


def _script(engine: ServerEngine, args: list[str]) -> int:
    def stop(*_signal: object) -> None:
        engine.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        engine.script(*args)
    except PolicyError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    return 0


def _serve(engine: ServerEngine) -> int:
    engine.diagnose("INFO", f"kumod {LABEL} starts; NodeId is {engine.node_id}")
    server = Server(engine)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_signal: server.request_stop())
    result = server.start()
    if not result.started:
        print(f"Error: {result.error}", file=sys.stderr)  # noqa: T201 - a command
        if result.running:
            signal.pause()
        return 1
    server.run()
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
