"""A stack of this machine alone: the sandbox records where its engine, state and keys are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_FILE = Path(__file__).resolve().parents[1] / ".sandbox" / "operator.json"

SANDBOX = "sandbox"
"""The stack of `make sandbox`, which exists only on this machine."""


@dataclass(frozen=True, kw_only=True)
class LocalStack:
    """What commands need that are asked for this stack.

    `environment` is for Pulumi, and `updates` is the command that is run in place of `pulumi` for
    what runs the program; `ssh_config` names an operator's key, whose public half is
    `operator_key`, `authorities` a file of certificates, `resolver` the DNS server of that world.
    """

    stack: str
    pulumi: str
    project: str
    environment: Mapping[str, str]
    ssh_config: str
    operator_key: str
    authorities: str
    resolver: str
    updates: Sequence[str] = ()
    mail: str = ""
    """Where the receivers of that world record what they get, one line a message."""


def local_stack(stack: str, file: Path | None = None) -> LocalStack | None:
    """The local stack of that name; None: it is no local one, or nothing of it runs."""
    try:
        found = LocalStack(**json.loads((file or _FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.stack == stack else None


def write(local: LocalStack, file: Path | None = None) -> None:
    """Writes the file for later commands; it has the paths of secrets and a passphrase."""
    path = file or _FILE
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(local), indent=1) + "\n", "utf-8")
