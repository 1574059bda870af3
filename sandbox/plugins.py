"""Which providers of the stand-in are left to a real plugin: command, where it can be had."""

import shutil
from importlib.metadata import version
from pathlib import Path

from sandbox.engine import internet_reachable
from sandbox.layout import Layout
from sandbox.process import run

_COMMAND = "pulumi-resource-command"


def real_providers(layout: Layout, engine: Path) -> tuple[str, ...]:
    """Names of providers for which the engine finds a real plugin.

    Decided once in a sandbox's life: what a stand-in made, a real one need not be able to read.
    """
    decided = layout.state / "real-providers"
    if not decided.exists():
        decided.write_text("command" if _command(engine, layout.pulumi_home) else "")
    return tuple(decided.read_text().split())


def _command(engine: Path, home: Path) -> bool:
    wanted = version("pulumi-command")
    if shutil.which(_COMMAND) or (home / "plugins" / f"resource-command-v{wanted}").exists():
        return True
    if not internet_reachable():
        return False
    install = [str(engine), "plugin", "install", "resource", "command", wanted]
    return run(["env", f"PULUMI_HOME={home}", *install], check=False).returncode == 0
