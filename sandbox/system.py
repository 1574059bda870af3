"""What the sandbox needs from the machine: root, a Debian-like system, and packages."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from sandbox.process import SandboxError, run

_POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True, kw_only=True)
class Need:
    """A package, the program that shows it is installed, and what can replace it.

    `service` is a service that the package would start and that is not needed.
    """

    package: str
    program: str
    otherwise: str | None = None
    service: str | None = None


def _needs(of: str) -> tuple[Need, ...]:
    listed = yaml.safe_load(Path(__file__).with_name("needs.yaml").read_text())[of]
    return tuple(Need(**{"program": each["package"], **each}) for each in listed)


NEEDS = _needs("sandbox")
SEVERAL_NODES = _needs("several nodes")
TEST_NEEDS = _needs("tests")


def prepare(say: Callable[[str], None], needs: Sequence[Need] = NEEDS) -> None:
    """Install missing packages and report them; raises with a one-line reason if it cannot."""
    require_fit_system()
    # `su` keeps a user's PATH, which lacks the system's own folders.
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    wanted = missing_packages(needs)
    if not wanted:
        return
    say(f"installing packages: {' '.join(wanted)}")
    _install(wanted)
    if services := [need.service for need in needs if need.package in wanted and need.service]:
        run(["systemctl", "disable", "--quiet", *services], check=False)
    if absent := missing_packages(needs):
        raise SandboxError(f"installed packages lack their programs: {', '.join(absent)}")


def missing_packages(needs: Sequence[Need] = NEEDS) -> list[str]:
    """Packages that `prepare` would install."""
    return sorted(n.package for n in needs if not shutil.which(n.program) and not _is_replaced(n))


def require_fit_system() -> None:
    """Raise if the machine or user is unsuitable, which no package can fix."""
    if platform.system() != "Linux":
        raise SandboxError(f"the sandbox needs Linux; this is {platform.system()}")
    if os.geteuid() != 0:
        raise SandboxError("the sandbox needs root (network namespaces, containers): use sudo")
    if not shutil.which("apt-get"):
        raise SandboxError("the sandbox needs a Debian-like system; this one has no apt-get")


def _is_replaced(need: Need) -> bool:
    """Whether the package is not available, but its replacement is installed."""
    if need.otherwise is None or not shutil.which(need.otherwise):
        return False
    return not _candidate(need.package)


def _candidate(package: str) -> bool:
    shown = run(["apt-cache", "policy", package], check=False).stdout
    return "Candidate:" in shown and "Candidate: (none)" not in shown


def _install(packages: list[str]) -> None:
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    install = [*environment, "apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if _POLICY.exists():
        _install_with(install)
        return
    # The packages' own services must not start: the DNS server would take port 53.
    with tempfile.NamedTemporaryFile("w", dir=_POLICY.parent, delete=False) as file:
        file.write("#!/bin/sh\nexit 101\n")
    Path(file.name).chmod(0o755)
    Path(file.name).rename(_POLICY)
    try:
        _install_with(install)
    finally:
        _POLICY.unlink()


def _install_with(command: list[str]) -> None:
    if run(command, check=False, timeout=1800).returncode != 0:
        # The package lists may be old.
        run(["apt-get", "update"], timeout=600)
        run(command, timeout=1800)


def main() -> None:
    """What `make test` calls: reports which tests are skipped if the machine cannot be prepared."""
    try:
        prepare(_say, (*NEEDS, *TEST_NEEDS))
    except SandboxError as error:
        _say(f"tests that need the sandbox or a missing program are skipped: {error}")


def _say(text: str) -> None:
    sys.stderr.write(f"setup: {text}\n")


if __name__ == "__main__":
    main()
