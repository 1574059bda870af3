"""Paths of releases and the agent's own state on a host."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths below `root`, which is `/` except in tests."""

    root: Path = Path("/")

    @property
    def base(self) -> Path:
        """Everything of ours, outside the directories that kumod polls."""
        return self.root / "opt/ping8"

    @property
    def releases(self) -> Path:
        """One folder per release."""
        return self.base / "releases"

    @property
    def staging(self) -> Path:
        """Where a release is unpacked; readable only by root until it is complete."""
        return self.releases / ".staging"

    @property
    def current(self) -> Path:
        """The link whose target is the live release."""
        return self.base / "current"

    @property
    def pending(self) -> Path:
        """The pending steps of an interrupted switch."""
        return self.base / "pending.json"

    @property
    def history(self) -> Path:
        """Ids of the releases that were live and healthy, newest last."""
        return self.base / "history.json"

    @property
    def lock(self) -> Path:
        """Locked by the process that changes the host."""
        return self.base / "lock"

    @property
    def backup(self) -> Path:
        """Files that a release replaced, and drifted files."""
        return self.base / "backup"

    @property
    def kumomta(self) -> Path:
        """KumoMTA versions unpacked for validation before they are installed."""
        return self.base / "kumomta"

    def release(self, release_id: str) -> Path:
        """The folder of a release."""
        return self.releases / release_id

    def stored(self, release_id: str, path: str) -> Path:
        """A live path's file within a release."""
        return self.release(release_id) / "root" / path.lstrip("/")

    def live(self, path: str) -> Path:
        """A live path on this host."""
        return self.root / path.lstrip("/")

    def link_target(self, path: str) -> str:
        """The target of the link at a live path."""
        return str(self.current / "root" / path.lstrip("/"))
