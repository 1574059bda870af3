"""Builds the tree at /opt/kumomta on a sandbox host."""

import hashlib
import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent
_DATA = _PACKAGE / "data"
#: What the stand-in imports at run time, and so needs beside it on a host with python3.11 alone.
_DISTRIBUTIONS = (
    "aiosmtpd",
    "atpublic",
    "attrs",
    "cffi",
    "cryptography",
    "dnspython",
    "idna",
    "lupa",
    "markupsafe",
    "minijinja",
    "pycparser",
    "trustme",
    "urllib3",
    "werkzeug",
    "zstandard",
)
_COMMANDS = {
    "kumod": "standins.kumod.main",
    "proxy-server": "standins.kumod.proxy_server",
    "kcli": "standins.kumod.kcli",
    "validate-shaping": "standins.kumod.validate_shaping",
}
_PYTHON = (3, 11)
_WRAPPER = """#!/usr/bin/python3
# A stand-in for KumoMTA's {name}, by ping8-mail's sandbox. Not KumoMTA.
import sys
from pathlib import Path

sys.dont_write_bytecode = True
lib = Path(__file__).resolve().parent.parent / "lib"
sys.path[:0] = [str(lib / "own"), str(lib / "site-packages")]

from {module} import main  # noqa: E402

sys.exit(main())
"""


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
    _write_code(partial / "lib" / "own")
    _install(partial / "lib" / "site-packages")
    shutil.copytree(_PACKAGE / "share", partial / "share")
    unit = partial / "lib" / "systemd" / "kumomta.service"
    unit.parent.mkdir(parents=True)
    shutil.copyfile(_DATA / "kumomta.service", unit)
    (partial / "lib" / "identity").write_text(identity, encoding="ascii")
    shutil.rmtree(destination, ignore_errors=True)
    partial.rename(destination)


def _sources() -> list[Path]:
    return sorted(
        path
        for path in _PACKAGE.rglob("*")
        if path.is_file() and not {"__pycache__", "tests"} & set(path.parts)
    )


def _identity() -> str:
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(str(path.relative_to(_PACKAGE)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for name in _DISTRIBUTIONS:
        digest.update(f"{name}={importlib.metadata.version(name)}\n".encode())
    return digest.hexdigest()


def _write_commands(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, module in _COMMANDS.items():
        command = folder / name
        command.write_text(_WRAPPER.format(name=name, module=module), encoding="utf-8")
        command.chmod(0o755)


def _write_code(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "tests", "share")
    shutil.copytree(_PACKAGE, folder / "standins" / "kumod", ignore=ignored)
    (folder / "standins" / "__init__.py").touch()


def _install(folder: Path) -> None:
    """Copy from this environment where it is the hosts' Python, else fetch wheels for that."""
    folder.mkdir(parents=True)
    if sys.version_info[:2] == _PYTHON:
        for name in _DISTRIBUTIONS:
            _copy_distribution(name, folder)
        return
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in _DISTRIBUTIONS]
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
    """lupa brings every Lua there is; the stand-in runs 5.4 alone, as KumoMTA."""
    return name.startswith(("lua5", "luajit")) and not name.startswith("lua54")
