"""A real ext4 on a loop device, which can lose its power or fail; needs root."""

import errno
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_SHUTDOWN = 0x8004587D
_KEEP_ALL, _DROP_ALL = b"\0\0\0\0", b"\2\0\0\0"


def _may_mount() -> bool:
    return os.geteuid() == 0 and bool(shutil.which("mkfs.ext4")) and Path("/dev/loop0").exists()


needs_a_loop_device = pytest.mark.skipif(not _may_mount(), reason="needs root and loop devices")


@dataclass(frozen=True)
class FileSystem:
    """Mounted at `root` from `image`."""

    image: Path
    root: Path

    @classmethod
    @contextmanager
    def mounted(cls, folder: Path) -> Iterator["FileSystem"]:
        """A new one in `folder`, until the end of the block."""
        made = cls(folder / "image", folder / "volume")
        made.make()
        try:
            yield made
        finally:
            made.unmount()

    def make(self, mib: int = 32) -> None:
        """Anew, and mounted."""
        with self.image.open("wb") as file:
            file.truncate(mib * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", self.image], check=True)
        self.root.mkdir(exist_ok=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop,commit=1", self.image, self.root], check=True)

    def unmount(self) -> None:
        """As soon as nobody has anything open there."""
        for _ in range(100):
            if not subprocess.run(
                ["umount", self.root], check=False, capture_output=True
            ).returncode:
                return
            time.sleep(0.1)
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self.root))

    def lose_power(self) -> None:
        """What was not synced is gone, and nothing can be read or written until it boots."""
        self._shut_down(_DROP_ALL)

    def boot(self) -> None:
        """Mounted again, with its journal replayed."""
        self.unmount()
        self.mount()

    def fail(self) -> None:
        """From now on every read from the device and every write is an I/O error."""
        self._shut_down(_KEEP_ALL)

    def read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", self.root], check=True)

    def _shut_down(self, how: bytes) -> None:
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, how)
        finally:
            os.close(descriptor)
