"""A release as it arrives on a host: the manifest that is kept, and the bundle that brings it."""

import base64
import binascii
import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hostagent.errors import AgentError

FORMAT = 1
"""Of the bundle; another one is refused rather than half understood."""

EFFECT = re.compile(r"(restart|reload|start) ([\w@.:-]+\.(service|timer|socket|path|mount|target))")


@dataclass(frozen=True)
class File:
    """One file of a release, without its content. `effects`: systemd verb and unit."""

    path: str
    mode: int
    owner: str
    group: str
    secret: bool
    effects: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class Directory:
    """A directory of state, outside the release."""

    path: str
    mode: int
    owner: str
    group: str


@dataclass(frozen=True)
class Mount:
    """The volume called `volume` in the host's facts, and where it is mounted."""

    volume: str
    path: str


@dataclass(frozen=True)
class Check:
    """What must hold on a healthy host (see `policy.release.Check`)."""

    kind: str
    target: str
    token_file: str | None


@dataclass(frozen=True)
class PackageSource:
    """Where KumoMTA's package comes from (see `policy.release.PackageSource`)."""

    key: str
    list: str
    lines: tuple[str, ...]
    fingerprint: str
    digest: str


@dataclass(frozen=True)
class Manifest:
    """A release without its contents, as `manifest.json` keeps it on the host."""

    id: str
    host: str
    role: str
    files: tuple[File, ...]
    linked_directories: tuple[str, ...]
    directories: tuple[Directory, ...]
    mounts: tuple[Mount, ...]
    packages: tuple[str, ...]
    users: tuple[str, ...]
    units: tuple[str, ...]
    checks: tuple[Check, ...]
    kumomta_version: str
    kumomta_preinstalled: bool
    source: PackageSource | None
    """None: the image has KumoMTA, or the repository."""
    raw: str = field(repr=False, compare=False)

    @property
    def by_path(self) -> dict[str, File]:
        """Files by live path."""
        return {file.path: file for file in self.files}

    def is_empty(self) -> bool:
        """Whether this is the release that a fresh host has."""
        return self.id == NOTHING


NOTHING = "none"
"""Id of the release without files that is live before the first push."""


@dataclass(frozen=True)
class Bundle:
    """What one push brings. `wait` is for the lock, `patience` for health, in seconds.

    `volumes` are EBS ids and `sizes` GiB, by a volume's name.
    """

    manifest: Manifest
    contents: Mapping[str, bytes] = field(repr=False)
    always: bool
    wait: float
    patience: float
    name: str
    instance_id: str
    volumes: Mapping[str, str]
    sizes: Mapping[str, int]


def empty_manifest() -> Manifest:
    """The release of a host that has none yet."""
    raw = {"id": NOTHING, "host": "", "role": "", "kumomta_version": "", "files": []}
    return parse_manifest(raw)


def parse_manifest(raw: Mapping[str, Any]) -> Manifest:
    """From JSON data; paths that could leave the release's folder are refused."""
    try:
        manifest = Manifest(
            id=_match(raw["id"], r"[0-9a-f]{16}|none"),
            host=str(raw["host"]),
            role=str(raw["role"]),
            files=tuple(_file(item) for item in raw["files"]),
            linked_directories=tuple(_path(item) for item in raw.get("linked_directories", ())),
            directories=tuple(
                Directory(_path(d["path"]), int(d["mode"]), str(d["owner"]), str(d["group"]))
                for d in raw.get("directories", ())
            ),
            mounts=tuple(Mount(str(m["volume"]), _path(m["path"])) for m in raw.get("mounts", ())),
            packages=tuple(_match(p, r"[a-z0-9][a-z0-9+.-]+") for p in raw.get("packages", ())),
            users=tuple(_match(u, r"[a-z_][a-z0-9_-]*") for u in raw.get("users", ())),
            units=tuple(_match(u, r"[\w@.:-]+") for u in raw.get("units", ())),
            checks=tuple(
                Check(str(c["kind"]), str(c["target"]), c.get("token_file"))
                for c in raw.get("checks", ())
            ),
            kumomta_version=str(raw["kumomta_version"]),
            kumomta_preinstalled=bool(raw.get("kumomta_preinstalled", False)),
            source=_source(raw["source"]) if raw.get("source") else None,
            raw=canonical(raw),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt(f"its manifest is malformed ({type(error).__name__}: {error})") from error
    if len(manifest.by_path) != len(manifest.files):
        raise corrupt("it names a file twice")
    return manifest


def parse_bundle(text: bytes) -> Bundle:
    """From standard input; every content is checked against its digest before anything is done."""
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise corrupt(f"its format is {data['format']!r} and this agent reads {FORMAT}")
        manifest = parse_manifest(data["release"])
        contents = {path: _content(item, data) for path, item in data["contents"].items()}
        facts = data["facts"]
        bundle = Bundle(
            manifest=manifest,
            contents=contents,
            always=bool(data["always"]),
            wait=float(data["wait"]),
            patience=float(data["patience"]),
            name=str(facts["name"]),
            instance_id=str(facts["instance_id"]),
            volumes={str(name): str(volume) for name, volume in facts["volumes"].items()},
            sizes={str(name): int(gib) for name, gib in facts["sizes"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        # The input holds secrets: say what kind of damage, never the text.
        raise corrupt(f"it is not whole ({type(error).__name__})") from None
    if hashlib.sha256(manifest.raw.encode()).hexdigest() != data.get("sha256"):
        raise corrupt("its manifest does not match its digest")
    for file in manifest.files:
        if hashlib.sha256(contents.get(file.path, b"")).hexdigest() != file.sha256:
            raise corrupt(f"{file.path} does not match its digest")
    return bundle


def canonical(raw: Mapping[str, Any]) -> str:
    """The one text of a manifest, over which its digest goes."""
    return json.dumps(raw, sort_keys=True, separators=(",", ":"))


def corrupt(why: str) -> AgentError:
    """The refusal of a bundle that cannot be trusted."""
    return AgentError(
        f"the bundle is corrupt: {why}",
        "nothing was changed; push again, and report it when it stays",
    )


def _source(raw: Mapping[str, Any]) -> PackageSource:
    return PackageSource(
        key=str(raw["key"]),
        list=str(raw["list"]),
        lines=tuple(_match(line, r"deb [^\n]+") for line in raw["lines"]),
        fingerprint=_match(raw["fingerprint"], r"([0-9A-F]{40})?"),
        digest=_match(raw["digest"], r"([0-9a-f]{64})?"),
    )


def _file(raw: Mapping[str, Any]) -> File:
    effects = tuple(str(effect) for effect in raw["effects"])
    for effect in effects:
        if not EFFECT.fullmatch(effect):
            raise ValueError(f"effect {effect!r}")
    mode = int(raw["mode"])
    if mode & ~0o7777:
        raise ValueError(f"mode {mode:o}")
    return File(
        path=_path(raw["path"]),
        mode=mode,
        owner=str(raw["owner"]),
        group=str(raw["group"]),
        secret=bool(raw["secret"]),
        effects=effects,
        sha256=_match(raw["sha256"], r"[0-9a-f]{64}"),
    )


def _content(item: Mapping[str, str], data: Mapping[str, Any]) -> bytes:
    """As text, as base64, or the same as another part of the bundle: the agent itself."""
    if "text" in item:
        return item["text"].encode()
    if "same" in item:
        return base64.b64decode(data[item["same"]], validate=True)
    return base64.b64decode(item["base64"], validate=True)


def _path(text: object) -> str:
    path = str(text)
    if not path.startswith("/") or posixpath.normpath(path) != path or path in {"/", "//"}:
        raise ValueError(f"path {path!r}")
    return path


def _match(text: object, pattern: str) -> str:
    if not re.fullmatch(pattern, str(text)):
        raise ValueError(f"{text!r}")
    return str(text)
