"""Builds the tree at /opt/kumomta on a sandbox host."""

import hashlib
import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

from standins.kumod.data import load

_PACKAGE = Path(__file__).parent
_DATA = _PACKAGE / "data"
_TREE = load("tree")
_PYTHON = (3, 11)


def build_tree(destination: Path) -> None:
    """Make the tree, unless it is there with this very content.

    ``sbin/`` holds the commands, ``share/`` the helpers and data, ``lib/`` the code with all that
    it imports, ``lib/systemd/kumomta.service`` the unit that KumoMTA's package would bring.
    """
    identity = _identity()
    stamp = destination / "lib" / "identity"
    if stamp.exists() and stamp.read_text(encoding="ascii") == identity:
        return
    partial = destination.with_name(f"{destination.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _write_commands(partial / "sbin")
    package = partial / "lib" / "own" / "standins"
    ignored = shutil.ignore_patterns("__pycache__", "tests", "share")
    shutil.copytree(_PACKAGE, package / "kumod", ignore=ignored)
    (package / "__init__.py").touch()
    _install(partial / "lib" / "site-packages")
    shutil.copytree(_PACKAGE / "share", partial / "share")
    unit = partial / "lib" / "systemd" / "kumomta.service"
    unit.parent.mkdir(parents=True)
    shutil.copyfile(_DATA / "kumomta.service", unit)
    (partial / "lib" / "identity").write_text(identity, encoding="ascii")
    shutil.rmtree(destination, ignore_errors=True)
    partial.rename(destination)


def _identity() -> str:
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*")):
        if not path.is_file() or {"__pycache__", "tests"} & set(path.parts):
            continue
        digest.update(str(path.relative_to(_PACKAGE)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for name in _TREE["distributions"]:
        digest.update(f"{name}={importlib.metadata.version(name)}\n".encode())
    return digest.hexdigest()


def _write_commands(folder: Path) -> None:
    folder.mkdir(parents=True)
    wrapper = (_DATA / "command.txt").read_text(encoding="utf-8")
    for name, module in _TREE["commands"].items():
        command = folder / name
        command.write_text(wrapper.format(name=name, module=module), encoding="utf-8")
        command.chmod(0o755)


def _install(folder: Path) -> None:
    """Copy from this environment if it has the hosts' Python, else fetch wheels for that."""
    folder.mkdir(parents=True)
    if sys.version_info[:2] == _PYTHON:
        for name in _TREE["distributions"]:
            _copy_distribution(name, folder)
        return
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in _TREE["distributions"]]
    version = ".".join(str(part) for part in _PYTHON)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:",
         "--target", str(folder), "--python-version", version, *pins],
        check=True,
    )  # fmt: skip


def _copy_distribution(name: str, folder: Path) -> None:
    files = importlib.metadata.files(name)
    if files is None:
        raise RuntimeError(f"{name}: the environment does not say which files it has")
    for entry in files:
        if ".." in entry.parts or "__pycache__" in entry.parts or _unused(entry.name):
            continue
        target = folder / entry
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(str(entry.locate())), target)


def _unused(name: str) -> bool:
    """lupa includes every Lua version; the stand-in, like KumoMTA, runs only 5.4."""
    return name.startswith(("lua5", "luajit")) and not name.startswith("lua54")
