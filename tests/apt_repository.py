"""A signed repository of packages, made with apt's and GnuPG's own tools and served on loopback."""

import hashlib
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from policy.settings.ubuntu import Ubuntu

TOOLS = ("gpg", "gpgv", "dpkg-deb", "dpkg-scanpackages", "apt-get")


@dataclass(frozen=True, kw_only=True)
class Repository:
    """`key` and `list` lie in `folder` as KumoMTA's lie in its own."""

    folder: Path
    address: str

    @property
    def ubuntu(self) -> Ubuntu:
        """The repository as the table of releases of Ubuntu names one."""
        return Ubuntu(
            key=f"{self.address}/public.gpg",
            list=f"{self.address}/files/kumomta.list",
            packaged=True,
            standard_until=2027,
            pro_until=2032,
            volume="gp2",
        )

    def package(self, name: str, version: str, architecture: str) -> str:
        """Build and add a package; its digest."""
        tree = self.folder.parent / "tree"
        (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
            "Maintainer: nobody <nobody@example.com>\nDescription: made by a test\n"
        )
        path = self.folder / f"pool/{name}_{version}_{architecture}.deb"
        path.parent.mkdir(exist_ok=True)
        _run("dpkg-deb", "--build", str(tree), str(path))
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def sign(self, key: "Key") -> None:
        """Write indices, Release and InRelease anew; the key lies beside them."""
        index = self.folder / "dists/stable/main/binary-any/Packages"
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_text(
            _run("dpkg-scanpackages", "--multiversion", "pool", cwd=self.folder), "utf-8"
        )
        release = self.folder / "dists/stable/Release"
        digest = hashlib.sha256(index.read_bytes()).hexdigest()
        release.write_text(
            "Suite: stable\nCodename: stable\nComponents: main\nArchitectures: any\n"
            "Date: Thu, 01 Jan 2026 00:00:00 UTC\n"
            f"SHA256:\n {digest} {index.stat().st_size} main/binary-any/Packages\n"
        )
        key.run("--clearsign", "--output", str(release.with_name("InRelease")), str(release))
        (self.folder / "public.gpg").write_text(key.run("--armor", "--export"))
        (self.folder / "files").mkdir(exist_ok=True)
        # As OpenRepo, which KumoMTA's repository is made with, writes the line.
        (self.folder / "files/kumomta.list").write_text(
            "# KumoMTA\n"
            "deb [arch=any signed-by=/usr/share/keyrings/kumomta.gpg] "
            f"{self.address}/ stable main\n"
        )


@dataclass(frozen=True, kw_only=True)
class Key:
    """A signing key of its own home."""

    home: Path

    @classmethod
    def made(cls, home: Path) -> "Key":
        """A new key without a passphrase."""
        home.mkdir(mode=0o700)
        key = cls(home=home)
        key.run("--passphrase", "", "--quick-generate-key", home.name, "ed25519", "sign", "never")
        return key

    @property
    def fingerprint(self) -> str:
        """Of the primary key."""
        rows = self.run("--with-colons", "--list-keys").splitlines()
        return next(row.split(":")[9] for row in rows if row.startswith("fpr"))

    def run(self, *arguments: str) -> str:
        """GnuPG with this key."""
        return _run("gpg", "--batch", "--yes", "--quiet", "--homedir", str(self.home), *arguments)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def serve(folder: Path) -> Iterator[Repository]:
    """An empty repository."""
    (folder / "repository").mkdir(parents=True)
    handler = partial(_Quiet, directory=str(folder / "repository"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Repository(
            folder=folder / "repository", address=f"http://127.0.0.1:{server.server_port}"
        )
    finally:
        server.shutdown()
        server.server_close()


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, check=True, capture_output=True, text=True, env=dict(os.environ)
    )
    return done.stdout
