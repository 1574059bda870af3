"""`ping8 kumomta pin`: writes what KumoMTA's repository has of a version to the settings.

For a machine with internet access. What it finds is trusted: hosts reject another key and
another package, whatever the repository has then.
"""

import gzip
import hashlib
import lzma
import re
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from pydantic import ValidationError

from hostagent.commands import Commands
from hostagent.system import package_source, packages
from ops.stackfile import STACKS, read_stack_file, save, write_setting
from policy.errors import UsageError, UserError
from policy.settings import stack_file
from policy.settings.hosts import KumoMTA, OperatingSystem, Pin
from policy.settings.problems import PROJECT
from policy.settings.ubuntu import Ubuntu, ubuntu_releases

_SECONDS = 60
_PROCESSORS = ("amd64", "arm64")
_INDEX = re.compile(r"^ ([0-9a-f]{64}) +\d+ (\S+)$", re.MULTILINE)
_SUMS = re.compile(r"^SHA256:\n((?: .+\n?)+)", re.MULTILINE)
_FIELD = re.compile(r"^(Package|Version|Architecture|SHA256): *(\S+)$", re.MULTILINE)
_FORMS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    (".xz", lzma.decompress),
    (".gz", gzip.decompress),
    ("", bytes),
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the repository has. `missing` are the processors for which it has no such package."""

    pin: Pin
    missing: tuple[str, ...]


def pin(stack: str, version: str, *, new_key: bool = False, directory: Path = STACKS) -> Found:
    """Writes version and pin to the stack file, and restores the file if it is invalid."""
    try:
        KumoMTA.model_validate({"version": version})
    except ValidationError as error:
        raise UsageError(f"VERSION {version}: {error.errors()[0]['ctx']['error']}") from None
    path = directory / f"Pulumi.{stack}.yaml"
    config = stack_file.read_stack_file(path).config
    given = config.get(f"{PROJECT}:os")
    release = given.get("release") if isinstance(given, Mapping) else None
    default = OperatingSystem.model_fields["release"].default
    found = look(version, ubuntu_releases()[str(release or default)])
    kumomta = config.get(f"{PROJECT}:kumomta")
    kumomta = dict(kumomta) if isinstance(kumomta, Mapping) else {}
    before = kumomta.get("pin")
    known = before.get("fingerprint") if isinstance(before, Mapping) else None
    if known not in (None, found.pin.fingerprint) and not new_key:
        raise UserError(
            f"the repository's key is {found.pin.fingerprint}, and {path.name} names {known}: ask "
            "KumoMTA whether it changed, then use --new-key"
        )
    text = path.read_text("utf-8")
    new = found.pin.model_dump(mode="json", by_alias=True)
    write_setting(path, f"{PROJECT}:kumomta", {**kumomta, "version": version, "pin": new})
    try:
        read_stack_file(stack, directory)
    except UserError:
        save(path, text)
        raise
    return found


def look(version: str, ubuntu: Ubuntu) -> Found:
    """Key, lines and digests, each index checked against the repository's signature."""
    key = _get(ubuntu["key"])
    lines = tuple(package_source.entries(_get(ubuntu["list"]).decode()))
    if not lines:
        raise UserError(f"{ubuntu['list']}: no line begins with `deb`")
    with tempfile.TemporaryDirectory() as folder:
        keyring = _keyring(Path(folder), key)
        fingerprint = _fingerprint(ubuntu["key"], keyring)
        have = [stanza for line in lines for stanza in _packages(line, keyring)]
    exact = [stanza for stanza in have if packages.matches(stanza["Version"], version)]
    if not exact:
        known = ", ".join(sorted({stanza["Version"] for stanza in have})[-5:]) or "none at all"
        raise UserError(f"{ubuntu['list']}: it has no kumomta {version}; it has {known}")
    digests = {stanza["Architecture"]: stanza["SHA256"] for stanza in exact}
    return Found(
        pin=Pin.model_validate(
            {
                "version": version,
                "source": lines,
                "fingerprint": fingerprint,
                "digests": {name: digests[name] for name in _PROCESSORS if name in digests},
            }
        ),
        missing=tuple(name for name in _PROCESSORS if name not in digests),
    )


def _packages(line: str, keyring: Path) -> Iterator[Mapping[str, str]]:
    """Stanzas of `kumomta` in the indices that one line of apt's list leads to."""
    address, suite, *components = package_source.without_options(line).split()
    flat = suite.endswith("/")
    base = urljoin(f"{address.rstrip('/')}/", suite if flat else f"dists/{suite}/")
    signed = _verified(base, keyring)
    sums = {path: digest for digest, path in _INDEX.findall("".join(_SUMS.findall(signed)))}
    folders = {
        path.rpartition("/")[0]
        for path in sums
        if re.search(r"(^|/)Packages(\.xz|\.gz)?$", path)
        and (flat or path.split("/binary-")[0] in components)
    }
    for folder in sorted(folders):
        for stanza in _index(base, f"{folder}/Packages".lstrip("/"), sums).split("\n\n"):
            fields = dict(_FIELD.findall(stanza))
            if fields.get("Package") == "kumomta" and len(fields) == 4:
                yield fields


def _index(base: str, path: str, sums: Mapping[str, str]) -> str:
    ending, unpack = next(form for form in _FORMS if f"{path}{form[0]}" in sums)
    packed = _get(f"{base}{path}{ending}")
    if hashlib.sha256(packed).hexdigest() != sums[f"{path}{ending}"]:
        raise UserError(f"{base}{path}{ending}: it does not match the signed checksum; try again")
    return unpack(packed).decode()


def _verified(base: str, keyring: Path) -> str:
    folder = keyring.parent
    signed, plain = folder / "InRelease", folder / "Release"
    signed.write_bytes(_get(f"{base}InRelease"))
    plain.unlink(missing_ok=True)
    _run("gpgv", "--quiet", "--keyring", str(keyring), "--output", str(plain), str(signed))
    return plain.read_text("utf-8")


def _keyring(folder: Path, key: bytes) -> Path:
    armored, plain = folder / "key.asc", folder / "key.gpg"
    armored.write_bytes(key)
    _run("gpg", "--batch", "--quiet", "--homedir", str(folder), "--output", str(plain),
         "--dearmor", str(armored))  # fmt: skip
    return plain


def _fingerprint(address: str, keyring: Path) -> str:
    found = package_source.fingerprints(Commands(), keyring)
    if len(found) != 1:
        raise UserError(f"{address}: it contains {len(found)} keys, but only one can be pinned")
    return found[0]


def _run(program: str, *arguments: str) -> None:
    try:
        done = subprocess.run(
            [program, *arguments], check=False, capture_output=True, text=True, timeout=_SECONDS
        )
    except FileNotFoundError:
        raise UserError(f"{program}: not on PATH; install GnuPG") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"the repository's signature or key is wrong: {last}")


def _get(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310 - our data
            return bytes(answer.read())
    except OSError as error:
        raise UserError(f"{address}: cannot be fetched: {error}") from None
