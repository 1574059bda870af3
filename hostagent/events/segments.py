"""Segments of kumod's logs: zstd files of JSON lines, named by their start time."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

PATTERN = "[0-9]*-[0-9]*"


class Segment:
    """One segment, read line by line.

    Afterwards, `whole` is whether it was read to its end: not if a crash truncated it or its
    bytes are damaged. The lines before that position are yielded anyway.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole = False

    @property
    def done(self) -> bool:
        """Whether kumod has finished it: it then makes the file read-only."""
        return not self.path.stat().st_mode & 0o222

    def lines(self) -> Iterator[bytes]:
        """Complete lines, without line ends."""
        self.whole = False
        ended = True
        with subprocess.Popen(
            ["zstd", "--decompress", "--stdout", "--quiet", "--", os.fspath(self.path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            for line in process.stdout:
                ended = line.endswith(b"\n")
                if ended:
                    yield line[:-1]
        self.whole = process.returncode == 0 and ended and self.path.stat().st_size > 0
