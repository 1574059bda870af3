"""`ping8-agent VERB`: runs on a host as root and prints one line of JSON."""

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from hostagent import audit
from hostagent.errors import AgentError, OutOfTimeError
from hostagent.host import Host
from hostagent.layout import Layout

_OTHERS = {
    "cloud": "cloud.run",
    "dial": "dial.run",
    "drain": "drain.command.main",
    "events": "events.events.main",
    "find": "find.main",
    "inbox": "events.inbox.main",
    "life": "events.life.main",
    "outbox": "events.outbox.main",
    "prune": "logs.prune.main",
    "public-keys": "public_keys.run",
    "queue": "queues.main",
    "reputation": "reputation.command.main",
    "shaping": "shaping.main",
    "ship": "logs.ship.main",
    "metrics": "metrics.timer.main",
    "webhook": "events.probe.run",
}
"""Verbs with their own modules: functions from arguments to an exit status."""


def _push(host: Host, arguments: Sequence[str]) -> dict[str, Any]:
    from hostagent.push import push  # noqa: PLC0415 - a verb loads what it needs

    _no_more(arguments)
    return push.run(host)


def _drift(host: Host, arguments: Sequence[str]) -> dict[str, Any]:
    from hostagent.push import drift  # noqa: PLC0415

    _no_more(arguments)
    return drift.drift(host)


def _rollback(host: Host, arguments: Sequence[str]) -> dict[str, Any]:
    from hostagent.push import rollback  # noqa: PLC0415

    rest = [argument for argument in arguments if argument != _OLD_CREDENTIALS]
    release_id = None
    if len(rest) == 2 and rest[0] == "--to":
        release_id = rest[1]
    else:
        _no_more(rest)
    return rollback.rollback(host, release_id, old_credentials=len(rest) < len(arguments))


def _finish(host: Host, arguments: Sequence[str]) -> dict[str, Any]:
    from hostagent.push import recover  # noqa: PLC0415

    _no_more(arguments)
    return recover.finish(host)


def _status(host: Host, arguments: Sequence[str]) -> dict[str, Any]:
    from hostagent.metrics import status  # noqa: PLC0415

    _no_more(arguments)
    return status.status(host)


def _release(host: Host, arguments: Sequence[str]) -> dict[str, Any]:
    from hostagent.release import show  # noqa: PLC0415

    _no_more(arguments)
    return show.show(host)


_OLD_CREDENTIALS = "--old-credentials"

VERBS: dict[str, Callable[[Host, Sequence[str]], dict[str, Any]]] = {
    "push": _push,
    "drift": _drift,
    "release": _release,
    "rollback": _rollback,
    "finish": _finish,
    "status": _status,
}


def main(arguments: Sequence[str], host: Host | None = None) -> int:
    """Run one verb; operators' changes are recorded."""
    verb, rest = (arguments[0], list(arguments[1:])) if arguments else ("", [])
    audited = audit.is_audited(verb, rest)
    if audited:
        _write_down(verb, rest, "begun")
    status = _run(verb, rest, host)
    if audited:
        _write_down(verb, rest, "done" if status == 0 else "failed")
    return status


def _write_down(verb: str, rest: Sequence[str], outcome: str) -> None:
    """A full disk must not block an emergency measure."""
    try:
        audit.record(verb, rest, outcome)
    except OSError as error:
        print(f"ping8: warning: not in the audit log: {error}", file=sys.stderr)


def _run(verb: str, rest: list[str], host: Host | None) -> int:
    """A failure ends with one line: what happened, and the fix."""
    if verb in _OTHERS:
        module, _, function = _OTHERS[verb].rpartition(".")
        return int(getattr(importlib.import_module(f".{module}", __package__), function)(rest))
    host = host or Host(layout=Layout())
    try:
        os.umask(0o022)
        signal.signal(signal.SIGTERM, _out_of_time)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        host.report.write(VERBS.get(verb, _unknown)(host, rest))
    except AgentError as error:
        host.report.fail(f"{error.what}; {error.fix}")
        return 1
    except OSError as error:
        what = f"{error.strerror or error} ({error.filename or 'no file named'})"
        host.report.fail(f"{what}; see disk and permissions on the host, then push again")
        return 1
    except Exception as error:
        for line in traceback.format_exc().splitlines():
            host.report.say(line)
        host.report.fail(f"{type(error).__name__} in the agent; report this with the lines above")
        return 1
    return 0


def _unknown(host: Host, arguments: Sequence[str]) -> dict[str, Any]:
    del host, arguments
    raise AgentError("this verb is not known", f"use one of: {', '.join([*VERBS, *_OTHERS])}")


def _out_of_time(number: int, frame: object) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise OutOfTimeError(
        "the time limit has passed", "see above where the time went, or raise `pushTimeLimit`"
    )


def _no_more(arguments: Sequence[str]) -> None:
    if arguments:
        raise AgentError(f"{arguments[0]!r} is not known here", "see docs/push.md")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
