"""A release as program and agent share it: the desired state of a host, and the bundle."""

import base64
import binascii
import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal, TypeVar

from hostagent.errors import AgentError

T = TypeVar("T")
Role = Literal["mta", "proxy"]
FORMAT = 1
"""Format of the bundle; an unknown one is rejected."""

EFFECT = re.compile(r"(restart|reload|start) ([\w@.:-]+\.(service|timer|socket|path|mount|target))")


def by(read: Callable[[Any], object]) -> dict[str, Any]:
    """Metadata of a field that is part of a bundle, with its JSON reader."""
    return {"read": read}


def each(read: Callable[[Any], object]) -> Callable[[Any], object]:
    """Reads a list."""
    return lambda items: tuple(read(item) for item in items)


def optional(read: Callable[[Any], object]) -> Callable[[Any], object]:
    """Reads a value or null."""
    return lambda item: None if item is None else read(item)


def matching(pattern: str) -> Callable[[Any], str]:
    """Reads text that matches completely."""

    def read(text: object) -> str:
        if not re.fullmatch(pattern, str(text)):
            raise ValueError(f"{text!r}")
        return str(text)

    return read


def reader(kind: Callable[..., T]) -> Callable[[Mapping[str, Any]], T]:
    """Reads an object from its fields."""
    return lambda raw: kind(**read_fields(kind, raw))


def read_fields(kind: Any, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The bundle fields of a class that are in `raw`."""
    return {
        item.name: item.metadata["read"](raw[item.name])
        for item in fields(kind)
        if "read" in item.metadata and item.name in raw
    }


def written(value: Any) -> Any:
    """As JSON data; of an object only the bundle fields."""
    if isinstance(value, tuple):
        return [written(item) for item in value]
    if is_dataclass(value):
        travels = (item.name for item in fields(value) if "read" in item.metadata)
        return {name: written(getattr(value, name)) for name in travels}
    return value


def _path(text: object) -> str:
    path = str(text)
    if not path.startswith("/") or posixpath.normpath(path) != path or path in {"/", "//"}:
        raise ValueError(f"path {path!r}")
    return path


def _mode(number: object) -> int:
    mode = int(str(number))
    if mode & ~0o7777:
        raise ValueError(f"mode {mode:o}")
    return mode


def _effect(text: object) -> str:
    if not EFFECT.fullmatch(str(text)):
        raise ValueError(f"effect {text!r}")
    return str(text)


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What a release says about a file, besides its content.

    `effects` are what a changed file requires, as systemd verb and unit: `restart kumomta.service`
    or `reload nginx.service`; none means that the running service picks it up by itself.
    """

    path: str = field(metadata=by(_path))
    mode: int = field(default=0o644, metadata=by(_mode))
    owner: str = field(default="root", metadata=by(str))
    group: str = field(default="root", metadata=by(str))
    secret: bool = field(default=False, metadata=by(bool))
    effects: tuple[str, ...] = field(default=(), metadata=by(each(_effect)))


@dataclass(frozen=True, kw_only=True)
class File(FileFacts):
    """A file of a release on its host: with the digest of its content."""

    sha256: str = field(metadata=by(matching(r"[0-9a-f]{64}")))


@dataclass(frozen=True, kw_only=True)
class Directory:
    """A directory that must exist on the host, outside the release (state, logs, spools)."""

    path: str = field(metadata=by(_path))
    mode: int = field(metadata=by(_mode))
    owner: str = field(metadata=by(str))
    group: str = field(metadata=by(str))


@dataclass(frozen=True, kw_only=True)
class Mount:
    """Where a volume of the host is mounted. `volume` is its name in the host's facts."""

    volume: str = field(metadata=by(str))
    path: str = field(metadata=by(_path))


@dataclass(frozen=True, kw_only=True)
class Check:
    """A condition of a healthy host, besides active units.

    `liveness`: the URL answers 200. `injection`: the URL answers 401 to a POST without a token and
    something else, below 500, with the bearer token in `token_file` (a file of the release,
    read on the host). `socks5`, `banner`: a SOCKS5 proxy or an SMTP server greets at `host:port`.
    """

    kind: Literal["liveness", "injection", "socks5", "banner", "answer"] = field(metadata=by(str))
    target: str = field(metadata=by(str))
    token_file: str | None = field(default=None, metadata=by(optional(str)))


@dataclass(frozen=True, kw_only=True)
class PackageSource:
    """Where KumoMTA's package comes from: URLs of the repository's key and its source list.

    `lines` for apt, the key's `fingerprint` and the package's SHA-256 `digest` are known once the
    version is pinned; until then the host trusts the list and the key that it finds.
    """

    key: str = field(metadata=by(str))
    list: str = field(metadata=by(str))
    lines: tuple[str, ...] = field(default=(), metadata=by(each(matching(r"deb [^\n]+"))))
    fingerprint: str = field(default="", metadata=by(matching(r"([0-9A-F]{40})?")))
    digest: str = field(default="", metadata=by(matching(r"([0-9a-f]{64})?")))


@dataclass(frozen=True, kw_only=True)
class Description:
    """The desired state of a host, besides its files: what program and agent share.

    To add a field, add it here and set it where hosts are rendered: it is then sent, part of the
    release's id, and read on the host.

    `linked_directories` are live directories that are a single link (the policy, so that
    code and data switch together); every other file is a separate link.
    `units` are enabled and must be active on a healthy host.
    `users` are system users to create, besides those from packages.
    """

    host: str = field(metadata=by(str))
    role: Role = field(metadata=by(str))
    linked_directories: tuple[str, ...] = field(default=(), metadata=by(each(_path)))
    directories: tuple[Directory, ...] = field(default=(), metadata=by(each(reader(Directory))))
    mounts: tuple[Mount, ...] = field(default=(), metadata=by(each(reader(Mount))))
    packages: tuple[str, ...] = field(
        default=(), metadata=by(each(matching(r"[a-z0-9][a-z0-9+.-]+")))
    )
    users: tuple[str, ...] = field(default=(), metadata=by(each(matching(r"[a-z_][a-z0-9_-]*"))))
    units: tuple[str, ...] = field(default=(), metadata=by(each(matching(r"[\w@.:-]+"))))
    checks: tuple[Check, ...] = field(default=(), metadata=by(each(reader(Check))))
    kumomta_version: str = field(metadata=by(str))
    kumomta_preinstalled: bool = field(default=False, metadata=by(bool))
    source: PackageSource | None = field(default=None, metadata=by(optional(reader(PackageSource))))
    """None if the image has KumoMTA or its repository."""


@dataclass(frozen=True, kw_only=True)
class Manifest(Description):
    """A release without its contents, as `manifest.json` keeps it on the host."""

    id: str = field(metadata=by(matching(r"[0-9a-f]{16}|none")))
    files: tuple[File, ...] = field(metadata=by(each(reader(File))))
    raw: str = field(repr=False, compare=False)

    @property
    def by_path(self) -> dict[str, File]:
        """Files by live path."""
        return {file.path: file for file in self.files}

    def is_empty(self) -> bool:
        """Whether this is the empty release of a fresh host."""
        return self.id == NOTHING


NOTHING = "none"
"""Id of the empty release that is live before the first push."""


@dataclass(frozen=True)
class Bundle:
    """The contents of one push. `wait` (for the lock) and `patience` (for health) are in seconds.

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
    """The empty release of a fresh host."""
    raw = {"id": NOTHING, "host": "", "role": "", "kumomta_version": "", "files": []}
    return parse_manifest(raw)


def parse_manifest(raw: Mapping[str, Any]) -> Manifest:
    """From JSON data; paths that could leave the release's folder are rejected."""
    try:
        manifest = Manifest(raw=canonical(raw), **read_fields(Manifest, raw))
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt(f"its manifest is malformed ({type(error).__name__}: {error})") from error
    if len(manifest.by_path) != len(manifest.files):
        raise corrupt("it lists a file twice")
    return manifest


def parse_bundle(text: bytes) -> Bundle:
    """From standard input; all content is checked against its digests before anything is done."""
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
        # The input contains secrets: report the kind of damage, never the text.
        raise corrupt(f"it is incomplete ({type(error).__name__})") from None
    if hashlib.sha256(manifest.raw.encode()).hexdigest() != data.get("sha256"):
        raise corrupt("its manifest does not match its digest")
    for file in manifest.files:
        if hashlib.sha256(contents.get(file.path, b"")).hexdigest() != file.sha256:
            raise corrupt(f"{file.path} does not match its digest")
    return bundle


def canonical(raw: Mapping[str, Any]) -> str:
    """The canonical text of a manifest, over which its digest is computed."""
    return json.dumps(raw, sort_keys=True, separators=(",", ":"))


def corrupt(why: str) -> AgentError:
    """Rejects a bundle that cannot be trusted."""
    return AgentError(
        f"the bundle is corrupt: {why}",
        "nothing was changed; push again, and report it if it happens again",
    )


def _content(item: Mapping[str, str], data: Mapping[str, Any]) -> bytes:
    """As text, as base64, or a reference to another part of the bundle (the agent itself)."""
    if "text" in item:
        return item["text"].encode()
    if "same" in item:
        return base64.b64decode(data[item["same"]], validate=True)
    return base64.b64decode(item["base64"], validate=True)
