"""A release: the complete set of files of one host, named by the hash of its content."""

import hashlib
import hmac
import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from hostagent.release.model import (
    Check,
    Description,
    Directory,
    FileFacts,
    Mount,
    PackageSource,
    Role,
    written,
)

__all__ = [
    "Check",
    "Directory",
    "HostFacts",
    "Mount",
    "PackageSource",
    "Release",
    "ReleaseFile",
    "Role",
]


@dataclass(frozen=True, kw_only=True)
class ReleaseFile(FileFacts):
    """One file, by its live path, with its content."""

    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Release(Description):
    """The complete desired state of a host: pure data, the same for the same input.

    The order of the files does not matter. `digest_key` keeps the id from revealing
    anything about secret contents.
    """

    files: tuple[ReleaseFile, ...]
    digest_key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Sort the files; two files with one path are a bug in the renderer."""
        ordered = tuple(sorted(self.files, key=lambda file: file.path))
        counts = Counter(file.path for file in ordered)
        twice = [path for path, count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"two files have the same path: {', '.join(twice)}")
        object.__setattr__(self, "files", ordered)

    @cached_property
    def id(self) -> str:
        """Sixteen hex digits over everything in the release, contents included.

        Secret contents enter as HMAC-SHA256 under `digest_key`.
        """
        entries = [[written(file), _digest(file, self.digest_key)] for file in self.files]
        text = json.dumps([entries, written(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What a push must know about this host; a replaced instance has other facts.

    `volumes` maps a volume's name (`spool`, `logs`) to its EBS id (`vol-...`), `sizes` to its GiB,
    so that a larger volume causes a push, which grows its file system.
    """

    name: str
    instance_id: str
    volumes: tuple[tuple[str, str], ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()


def _digest(file: ReleaseFile, digest_key: str) -> str:
    if file.secret:
        return hmac.digest(digest_key.encode(), file.content, "sha256").hex()
    return hashlib.sha256(file.content).hexdigest()
