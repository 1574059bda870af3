"""Which KumoMTA the hosts run: a real tree if one is available, else the stand-in.

A tree goes to `/opt/kumomta` of every host, with what else the package would install: the user
`kumod` and the unit `kumomta.service`.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import standins.kumod
from sandbox import package
from sandbox.process import SandboxError

VARIABLE = "KUMOMTA_ROOT"
_NEEDED = ("sbin/kumod", "sbin/proxy-server", "sbin/kcli", "share")

UNIT = (Path(standins.kumod.__file__).parent / "data/kumomta.service").read_text()
"""The unit from KumoMTA's package."""
PREPARE = (
    ("useradd", "--system", "--home-dir", "/var/spool/kumomta", "--shell", "/bin/false", "kumod"),
    ("mkdir", "-p", "/opt/kumomta/etc"),
)


@dataclass(frozen=True, kw_only=True)
class KumoTree:
    """A tree for `/opt/kumomta`; `real` is whether it is KumoMTA itself, not its stand-in."""

    path: Path
    real: bool

    @property
    def label(self) -> str:
        """Its name in the run's output and summary."""
        return f"KumoMTA from {self.path}" if self.real else "STAND-IN for KumoMTA (no real kumod)"


def ensure_tree(cache: Path, *, running: Path | None = None) -> KumoTree:
    """`KUMOMTA_ROOT`, else this machine's KumoMTA, else its package, else the stand-in, built once.

    Hosts that are up keep the tree that they are `running`. Once built, the
    stand-in is kept, so that a run does not depend on whether the repository can be reached.
    """
    tree, named = cache / "kumomta", os.environ.get(VARIABLE)
    if running is not None:
        if named and Path(named) != running:
            raise SandboxError(
                f"{VARIABLE}={named}: the sandbox runs KumoMTA from {running}; "
                "run `ping8 sandbox down` first"
            )
        return KumoTree(path=running, real=running != tree)
    if named:
        root = Path(named)
        lacking = [part for part in _NEEDED if not (root / part).exists()]
        if lacking:
            raise SandboxError(f"{VARIABLE}={named}: missing {', '.join(lacking)}")
        return KumoTree(path=root, real=True)
    installed = Path("/opt/kumomta")
    if shutil.which(str(installed / "sbin/kumod")):
        return KumoTree(path=installed, real=True)
    from standins.kumod.tree import build_tree  # noqa: PLC0415 - heavy, and only needed here

    if not tree.exists() and (unpacked := package.fetch(cache)):
        return KumoTree(path=unpacked, real=True)
    build_tree(tree)
    return KumoTree(path=tree, real=False)
