"""EBS volumes as loop devices over sparse files; they outlive the instance that has them.

A host finds a volume where EC2 puts it: under `/dev/disk/by-id`, by the volume's id.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from sandbox.process import SandboxError, run

_GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Device:
    """A block device of this machine."""

    path: Path
    major: int
    minor: int


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """The volumes of one sandbox, each a file named by its id."""

    folder: Path

    def create(self, volume: str, *, gib: int) -> None:
        """Create a blank volume; an existing one keeps its content and grows to the size."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._file(volume)
        if path.exists() and path.stat().st_size > gib * _GIB:
            raise SandboxError(f"volume {volume}: a volume cannot shrink to {gib} GiB")
        with path.open("ab") as file:
            file.truncate(gib * _GIB)
        if (device := self.device(volume)) is not None:
            run(["losetup", "--set-capacity", str(device.path)])

    def open(self, volume: str) -> Device:
        """Its block device, set up unless it is."""
        if not self._file(volume).exists():
            raise SandboxError(f"volume {volume} does not exist")
        found = self.device(volume)
        if found is None:
            run(["losetup", "--find", str(self._file(volume))])
            found = self.device(volume)
        if found is None:
            raise SandboxError(f"volume {volume}: this machine gives no loop device")
        return found

    def device(self, volume: str) -> Device | None:
        """Its block device while it has one."""
        listed = run(["losetup", "--json", "--list", "--output", "NAME,BACK-FILE"]).stdout
        for each in json.loads(listed or '{"loopdevices": []}')["loopdevices"]:
            if each["back-file"] == str(self._file(volume)):
                path = Path(each["name"])
                number = path.stat().st_rdev
                return Device(path=path, major=os.major(number), minor=os.minor(number))
        return None

    def close(self, volume: str) -> None:
        """Give the block device back; the content stays."""
        if (device := self.device(volume)) is not None:
            run(["losetup", "--detach", str(device.path)])

    def delete(self, volume: str) -> None:
        """Remove it with its content."""
        self.close(volume)
        self._file(volume).unlink(missing_ok=True)

    def ids(self) -> list[str]:
        """All volumes."""
        return sorted(path.stem for path in self.folder.glob("*.img"))

    def _file(self, volume: str) -> Path:
        return self.folder.resolve() / f"{volume}.img"


def link_name(volume: str) -> str:
    """Name of the link under `/dev/disk/by-id`, as EC2's images make it."""
    return f"nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"
