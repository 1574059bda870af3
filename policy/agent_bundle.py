"""The host agent as one executable file, byte for byte the same on every machine."""

import functools
import io
import zipfile
from pathlib import Path

_SHEBANG = b"#!/usr/bin/env -S python3 -I\n"
_SOURCE = Path(__file__).parents[1] / "hostagent"
_ENTRY = "import sys\n\nfrom hostagent.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"
_DATE = (1980, 1, 1, 0, 0, 0)


@functools.cache
def agent_zipapp() -> bytes:
    """A zip application of `hostagent`.

    Its entries are stored, not deflated: compressors differ between machines, and the bytes are
    part of a release's id.
    """
    stream = io.BytesIO()
    stream.write(_SHEBANG)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", _ENTRY.encode())
        for path in sorted(_SOURCE.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = f"hostagent/{path.relative_to(_SOURCE).as_posix()}"
                _add(archive, name, path.read_bytes())
    return stream.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
