"""KumoMTA's package from a repository of apt's, here a folder."""

import gzip
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.package import fetch

if not shutil.which("dpkg-deb") or not shutil.which("apt-get"):
    pytest.skip("needs dpkg and apt", allow_module_level=True)

CONTROL = (
    "Package: kumomta\nVersion: 2026.06.23\nArchitecture: all\nMaintainer: k\nDescription: k\n"
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    content = tmp_path / "content"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN" / "control").write_text(CONTROL)
    (content / "opt/kumomta/sbin").mkdir(parents=True)
    (content / "opt/kumomta/sbin/kumod").write_text("kumod itself")
    place = tmp_path / "repository"
    (place / "files").mkdir(parents=True)
    (place / "kumomta-ubuntu-22").mkdir()
    package = place / "kumomta_2026.06.23_all.deb"
    subprocess.run(
        ["dpkg-deb", "--build", str(content), str(package)], check=True, capture_output=True
    )
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    entry = f"Filename: ./{package.name}\nSize: {package.stat().st_size}\nSHA256: {digest}\n"
    (place / "Packages.gz").write_bytes(gzip.compress(f"{CONTROL}{entry}\n".encode()))
    (place / "files" / "kumomta-ubuntu22.list").write_text(f"deb [trusted=yes] file:{place} ./\n")
    (place / "kumomta-ubuntu-22" / "public.gpg").write_text("a key")
    return place


def test_a_repository_that_can_be_reached_gives_a_tree_once(
    repository: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    tree = fetch(cache, source=f"file://{repository}")
    assert tree is not None
    assert (tree / "sbin/kumod").read_text() == "kumod itself"
    shutil.rmtree(repository)
    assert fetch(cache, source=f"file://{repository}") == tree


def test_a_repository_out_of_reach_gives_none(tmp_path: Path) -> None:
    assert fetch(tmp_path, source=f"file://{tmp_path}/nowhere") is None
