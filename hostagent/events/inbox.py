"""`ping8-agent inbox`: the mail that kumod keeps for people (policy/kumomta/inbox.lua)."""

import argparse
import email
import email.policy
import json
import os
import time
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from hostagent import contract
from hostagent.text import printable, printable_line

DIRECTORY = Path(contract.INBOX)

SEEN = "seen"
"""Next to the mail: this file's time is when somebody last listed it."""

_SHOWN = 200
_LONGEST_TEXT = 64 * 1024


def messages(directory: Path) -> list[Path]:
    """Newest first; none if kumod never kept one."""
    if not directory.is_dir():
        return []
    return sorted(directory.iterdir(), key=lambda path: (path.stat().st_mtime, path.name))[::-1]


def unread(directory: Path = DIRECTORY) -> int:
    """The number of messages since the last listing."""
    seen = directory.with_name(SEEN)
    since = seen.stat().st_mtime if seen.exists() else 0.0
    return sum(1 for path in messages(directory) if path.stat().st_mtime >= since)


def _mark(directory: Path, moment: float) -> None:
    if directory.is_dir():
        seen = directory.with_name(SEEN)
        seen.touch()
        os.utime(seen, (moment, moment))


def main(arguments: Sequence[str], directory: Path = DIRECTORY) -> int:
    """Print the list, or one message, as JSON without control characters."""
    parser = argparse.ArgumentParser(prog="ping8-agent inbox", description=__doc__)
    parser.add_argument("--show", help="the message with that id")
    options = parser.parse_args(arguments)
    moment = time.time()
    found = messages(directory)
    if options.show is None:
        _mark(directory, moment)
        listed = [_summary(path) for path in found[:_SHOWN]]
        print(json.dumps({"count": len(found), "messages": listed}))
        return 0
    for path in found:
        if path.name == options.show:
            print(json.dumps(_summary(path) | {"text": _text(_read(path))}))
            return 0
    print(json.dumps({"error": f"no message {options.show!r}"}))
    return 1


def _read(path: Path) -> EmailMessage:
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


def _summary(path: Path) -> dict[str, Any]:
    message = _read(path)
    status = path.stat()
    return {
        "id": path.name,
        "time": int(status.st_mtime),
        "size": status.st_size,
        **{name: printable_line(_field(message, name)) for name in ("from", "to", "subject")},
    }


def _field(message: EmailMessage, name: str) -> str:
    try:
        return str(message[name] or "")[:500]
    except Exception:
        return "?"


def _text(message: EmailMessage) -> str:
    try:
        part = message.get_body(("plain", "html")) or message
        content = part.get_content()
    except Exception:
        content = message.as_bytes().decode("utf-8", "replace")
    text = content if isinstance(content, str) else "(no text)"
    return printable("\n".join(text[:_LONGEST_TEXT].splitlines()))
