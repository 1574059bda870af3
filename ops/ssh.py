"""Queries a host's agent over SSH and checks the host key against the stack's."""

import json
import os
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from ops.stack import HostAccess
from policy.errors import UserError

AGENT = "/usr/local/sbin/ping8-agent"
CONFIG = "PING8_SSH_CONFIG"
"""Environment variable that names an OpenSSH client configuration: identity, jump host."""

_AGENT_SAYS = "ping8: "
"""How the agent's last line begins when it failed."""
NEWEST = "push the newest release with `pulumi up`"
_CONNECT = 15
_SSH_FAILED = 255
_NO_AGENT = 127


def ssh_json(
    host: HostAccess,
    verb: Sequence[str],
    *,
    stdin: str | None = None,
    limit: float = 60,
    progress: Callable[[str], None] | None = None,
) -> Any:
    """The JSON that `ping8-agent VERB` printed on a host.

    A `UserError` has the reason for none. `progress` gets each line that the agent prints.
    """
    with tempfile.TemporaryDirectory(prefix="ping8-ssh-") as folder:
        known = Path(folder, "known_hosts")
        known.write_text(f"{host.name} {host.host_key.strip()}\n")
        code, output, said = _run(_command(host, verb, known, limit), stdin, limit, progress)
    if code != 0:
        raise UserError(f"{host.name} ({host.address}): {_why(host, code, said)}")
    place = f"{host.name} ({host.address}): `ping8-agent {verb[0]}`"
    try:
        answer = json.loads(output, object_pairs_hook=lambda pairs: _Table(pairs, place=place))
    except (ValueError, RecursionError):
        raise UserError(f"{place} printed no JSON; {NEWEST}") from None
    if not isinstance(answer, _Table):
        raise UserError(f"{place} printed no table; {NEWEST}")
    return answer


class _Table(dict[str, Any]):
    """An answer's table; an older release's may lack a key."""

    def __init__(self, pairs: Sequence[tuple[str, Any]], *, place: str) -> None:
        super().__init__(pairs)
        self._place = place

    def __missing__(self, key: str) -> Any:
        raise UserError(f"{self._place} has no {key!r}; {NEWEST}")


def _command(host: HostAccess, verb: Sequence[str], known_hosts: Path, limit: float) -> list[str]:
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": host.name,
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(_CONNECT),
        "ServerAliveInterval": "10",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
        "ForwardAgent": "no",
        "ControlPath": "none",
    }
    config = os.environ.get(CONFIG) or host.ssh_config
    remote = f"sudo -n timeout --kill-after=120 {int(limit)} {shlex.join([AGENT, *verb])}"
    return [
        "ssh",
        *(("-F", config) if config else ()),
        *(part for name, value in options.items() for part in ("-o", f"{name}={value}")),
        "-T",
        f"{host.user}@{host.address}",
        remote,
    ]


def _run(
    command: Sequence[str],
    stdin: str | None,
    limit: float,
    progress: Callable[[str], None] | None,
) -> tuple[int, str, list[str]]:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise UserError("ssh: not on PATH; install the OpenSSH client") from error
    except OSError as error:
        raise UserError(f"ssh: cannot run: {error.strerror}") from error
    assert process.stderr is not None  # noqa: S101 - for the type
    said: list[str] = []
    listener = threading.Thread(target=_listen, args=(process.stderr, said, progress), daemon=True)
    listener.start()
    # Its own standard error is read by the thread; communicate() must not touch it.
    process.stderr = None
    try:
        output, _ = process.communicate(stdin, timeout=limit + _CONNECT)
    except subprocess.TimeoutExpired:
        return _SSH_FAILED, "", [*said, f"no answer within {limit:.0f} s"]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        listener.join(timeout=5)
    return process.returncode, output, said


def _listen(stream: IO[str], said: list[str], progress: Callable[[str], None] | None) -> None:
    for line in stream:
        said.append(line.rstrip())
        if progress is not None and not line.startswith(_AGENT_SAYS):
            progress(line.rstrip())
    stream.close()


def _why(host: HostAccess, code: int, said: Sequence[str]) -> str:
    """One line from what ssh, sudo or the agent said, with the fix."""
    last = next((line for line in reversed(said) if line.strip()), "")
    text = "\n".join(said)
    if last.startswith(_AGENT_SAYS):
        return last.partition(": ")[2]
    if "Host key verification failed" in text or "HOST IDENTIFICATION HAS CHANGED" in text:
        return (
            "its host key differs from the stack's; do not log in, and check whether the "
            "address now belongs to another machine (`pulumi refresh`)"
        )
    if "Permission denied" in text:
        return (
            f"it rejects our key for user {host.user}; load the key of an operator in the "
            f"settings (`ssh-add`), or set {CONFIG} to a configuration"
        )
    if code == _NO_AGENT or "command not found" in text or "No such file" in text:
        return "it has no agent with this verb; push a release with `pulumi up`"
    if code == _SSH_FAILED:
        return (
            f"no SSH connection ({last or 'no reason given'}); check that it is running and that "
            "your address is in operators.cidrs"
        )
    return f"status {code}: {last or 'no reason given'}"
