"""KumoMTA's package repository: its key, its apt sources, and a pin that allows nothing else."""

import itertools
import re
import tempfile
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from hostagent import durable
from hostagent.commands import Commands
from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.release.model import PackageSource

KEYRING = "/etc/apt/keyrings/kumomta.gpg"
LIST = "/etc/apt/sources.list.d/kumomta.list"
PREFERENCES = "/etc/apt/preferences.d/kumomta"
_LIMIT, _SECONDS = 1 << 20, 30.0
_REACH = "check whether the host can reach it, then push again"
_PIN = (
    "`ping8 kumomta pin` says what the repository has now; change the settings only if you know why"
)


def ensure(host: Host, source: PackageSource) -> None:
    """Write what apt needs. What is already correct is not fetched again."""
    if not _key_is_right(host, source):
        _write_key(host, source)
    there = host.layout.live(LIST)
    lines = list(source.lines)
    if not lines:
        known = there.read_text() if there.exists() else _fetch(source.list).decode()
        lines = list(entries(known))
    if not lines:
        raise AgentError(f"{source.list} has no line that begins with `deb`", _PIN)
    keyring = str(host.layout.live(KEYRING))
    _write(host, LIST, "".join(f"{signed_by(line, keyring)}\n" for line in lines))
    _write(host, PREFERENCES, preferences(lines))


def entries(text: str) -> Iterator[str]:
    """The lines of a source list for binary packages."""
    for line in text.splitlines():
        if re.match(r"deb\s", line.strip()):
            yield line.strip()


def signed_by(line: str, keyring: str) -> str:
    """The line with only this keyring to trust; the rest stays."""
    found = re.fullmatch(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S.*)", line)
    if found is None:
        raise AgentError(f"{line!r} is no line for apt", _PIN)
    dropped = ("signed-by=", "trusted=", "allow-insecure=", "allow-weak=")
    options = [option for option in (found[1] or "").split() if not option.startswith(dropped)]
    return f"deb [{' '.join([*options, f'signed-by={keyring}'])}] {found[2]}"


def without_options(line: str) -> str:
    """Address, suite and components of a line."""
    return re.sub(r"^deb\s+(\[[^\]]*\]\s+)?", "", line)


def preferences(lines: Iterable[str]) -> str:
    """Only `kumomta` comes from there, so the repository cannot replace parts of Ubuntu."""
    places = sorted({urlsplit(without_options(line).split()[0]).hostname or "" for line in lines})
    return "\n".join(
        f'Package: {name}\nPin: origin "{place}"\nPin-Priority: {priority}\n'
        for place in places
        for name, priority in (("*", -1), ("kumomta", 500))
    )


def fingerprints(commands: Commands, keyring: Path) -> list[str]:
    """The fingerprints of every key in the file; none if it is damaged."""
    with tempfile.TemporaryDirectory() as home:
        said = commands.run(
            [
                "gpg", "--batch", "--quiet", "--homedir", home, "--with-colons",
                "--show-keys", str(keyring),
            ],
            limit=60,
        )  # fmt: skip
    rows = [line.split(":") for line in said.output.splitlines()]
    return [
        row[9] for before, row in itertools.pairwise(rows) if (before[0], row[0]) == ("pub", "fpr")
    ]


def _key_is_right(host: Host, source: PackageSource) -> bool:
    path = host.layout.live(KEYRING)
    if not path.exists():
        return False
    return not source.fingerprint or fingerprints(host.commands, path) == [source.fingerprint]


def _write_key(host: Host, source: PackageSource) -> None:
    with tempfile.TemporaryDirectory() as folder:
        armored, plain = Path(folder) / "key.asc", Path(folder) / "key.gpg"
        armored.write_bytes(_fetch(source.key))
        found = fingerprints(host.commands, armored)
        if source.fingerprint and found != [source.fingerprint]:
            raise AgentError(
                f"{source.key} contains {' and '.join(found) or 'nothing'}, but the settings "
                f"name {source.fingerprint}",
                _PIN,
            )
        host.commands.must(
            [
                "gpg", "--batch", "--quiet", "--homedir", folder, "--output", str(plain),
                "--dearmor", str(armored),
            ],
            limit=60,
            fix=_PIN,
        )  # fmt: skip
        _write(host, KEYRING, plain.read_bytes())


def _write(host: Host, path: str, content: str | bytes) -> None:
    new = content.encode() if isinstance(content, str) else content
    live = host.layout.live(path)
    if live.exists() and live.read_bytes() == new:
        return
    live.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # apt reads keys and lists as a separate user.
    durable.write_bytes(live, new, mode=0o644)


def _fetch(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310 - a setting
            return bytes(answer.read(_LIMIT))
    except OSError as error:
        raise AgentError(f"{address} cannot be fetched: {error}", _REACH) from None
