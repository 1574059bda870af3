"""Operators' actions on a host: one file per action, also copied to the log archive.

Everybody logs in as the same user, so a record has the address; sshd's journal has the key.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from hostagent import durable
from hostagent.contract import AUDIT

FOLDER = Path(AUDIT)
_CHANGING = {
    "push": None,
    "rollback": None,
    "drain": {"begin", "back"},
    "queue": {"suspend", "resume", "bounce"},
    "shaping": {"lift"},
    "events": {"replay"},
    "inbox": {"--show"},
    "reputation": {"acknowledge"},
}
"""Verbs that change something or show mail; some only with one of these words."""


def is_audited(verb: str, rest: Sequence[str]) -> bool:
    """Whether a call is recorded."""
    if verb not in _CHANGING:
        return False
    words = _CHANGING[verb]
    return words is None or bool(words & {word.partition("=")[0] for word in rest})


def record(verb: str, rest: Sequence[str], outcome: str, *, folder: Path | None = None) -> None:
    """Durably, in a new file: existing files are never written again."""
    folder, moment = folder or FOLDER, time.time()
    entry = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)),
        "verb": verb,
        "arguments": list(rest),
        "outcome": outcome,
        "user": os.environ.get("SUDO_USER", ""),
        "from": _address(),
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
    name = f"{stamp}-{os.getpid()}-{verb}-{outcome.split(maxsplit=1)[0]}.json"
    durable.write_bytes(folder / name, json.dumps(entry).encode() + b"\n", mode=0o600)


def _address() -> str:
    """The client of the SSH session: sudo removes its variable, but parent processes have it."""
    process = os.getpid()
    while process > 1:
        folder = Path("/proc") / str(process)
        try:
            for item in (folder / "environ").read_bytes().split(b"\0"):
                if item.startswith(b"SSH_CONNECTION="):
                    return item.partition(b"=")[2].split(b" ")[0].decode("ascii", "replace")
            process = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return ""
