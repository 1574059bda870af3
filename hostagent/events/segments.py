"""Segments of kumod's logs: zstd files of JSON lines, named by the time that they begin."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

PATTERN = "[0-9]*-[0-9]*"


class Segment:
    """One segment, read line by line.

    After that, `whole` says whether it was read to its end: no for one that a crash tore, or whose
    bytes are damaged. The lines before that place are given out all the same.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole = False

    @property
    def done(self) -> bool:
        """Whether kumod has finished it: it takes the right to write away then."""
        return not self.path.stat().st_mode & 0o222

    def lines(self) -> Iterator[bytes]:
        """Complete lines, without the line ends."""
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
