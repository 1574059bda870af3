"""KumoMTA from its package repository, if it can be reached, unpacked as a tree.

The package is for Ubuntu 22.04, whose libraries are older than those of the hosts' Debian 12, so
its programs run there; apt itself would refuse to install it.
"""

import re
import shutil
import urllib.request
from pathlib import Path

from sandbox.process import run

SOURCE = "https://openrepo.kumomta.com"
_LIST = "files/kumomta-ubuntu22.list"
_KEY = "kumomta-ubuntu-22/public.gpg"
_LOOK_SECONDS = 5


def fetch(cache: Path, *, source: str = SOURCE) -> Path | None:
    """The tree of the newest release; None if the repository cannot be reached.

    apt checks the repository's signature and the package's digest.
    """
    tree = cache / "kumomta-package" / "opt" / "kumomta"
    if (tree / "sbin" / "kumod").exists():
        return tree
    listed, key = _get(f"{source}/{_LIST}"), _get(f"{source}/{_KEY}")
    if listed is None or key is None:
        return None
    folder = cache / "kumomta-package.partial"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "key.asc").write_text(key)
    lines = re.sub(r"signed-by=[^\]\s]+", f"signed-by={folder / 'key.asc'}", listed)
    (folder / "kumomta.list").write_text(lines)
    apt = [
        "apt-get",
        f"-oDir::Etc::SourceList={folder / 'kumomta.list'}",
        "-oDir::Etc::SourceParts=/dev/null",
        f"-oDir::State::Lists={folder / 'lists'}",
        f"-oDir::Cache={folder}",
        "-oAPT::Sandbox::User=root",
    ]
    run([*apt, "update"])
    run(["env", "-C", str(folder), *apt, "download", "kumomta"], timeout=1800)
    (package,) = folder.glob("kumomta_*.deb")
    run(["dpkg-deb", "--extract", str(package), str(folder)])
    folder.rename(cache / "kumomta-package")
    return tree


def _get(address: str) -> str | None:
    try:
        with urllib.request.urlopen(address, timeout=_LOOK_SECONDS) as answer:  # noqa: S310 - ours
            return str(answer.read().decode())
    except OSError:
        return None
