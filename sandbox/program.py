"""The unchanged program, run by the real engine against the stand-in providers."""

import contextlib
import functools
import json
import runpy
import secrets
import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation
from pulumi.automation import LocalWorkspaceOptions, PulumiCommand

from ops.yaml_edit import put
from sandbox.files import replace
from sandbox.layout import Layout
from sandbox.parts import STACK
from standins.pulumi.endpoints import Endpoints

PROJECT = "ping8-mail"
_SEVERAL_NODES = Path(__file__).with_name("several_nodes.yaml")


def open_stack(
    layout: Layout, engine: Path, endpoints: Endpoints, *, real: Collection[str] = ()
) -> automation.Stack:
    """The sandbox's stack, in a project folder of its own.

    The engine attaches to the stand-in providers, except those in `real`, whose plugins it finds.
    The stack file is a copy, so that a run, or a test that changes settings, leaves the checkout
    clean; state is in files, encrypted with a passphrase that never leaves the checkout.
    """
    folder = layout.project
    for path in (folder / "stacks", layout.backend):
        path.mkdir(parents=True, exist_ok=True)
    shutil.copy2(layout.root / "Pulumi.yaml", folder / "Pulumi.yaml")
    copy = folder / "stacks" / f"Pulumi.{STACK}.yaml"
    if not copy.exists():
        shutil.copy2(layout.root / "stacks" / copy.name, copy)
    options = LocalWorkspaceOptions(
        work_dir=str(folder),
        pulumi_command=PulumiCommand(root=str(engine.parent.parent)),
        env_vars={
            "PULUMI_BACKEND_URL": f"file://{layout.backend}",
            "PULUMI_CONFIG_PASSPHRASE": _passphrase(layout),
            "PULUMI_DEBUG_PROVIDERS": _attached(endpoints, real),
            "PULUMI_HOME": str(layout.pulumi_home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        },
    )
    return automation.create_or_select_stack(
        stack_name=STACK, project_name=PROJECT, program=_program(layout), opts=options
    )


def nodes(layout: Layout) -> int:
    """The number of MTA hosts that the stack file names; one if there is none yet."""
    copy = layout.project / "stacks" / f"Pulumi.{STACK}.yaml"
    config = yaml.safe_load(copy.read_text())["config"] if copy.exists() else {}
    return int(config.get(f"{PROJECT}:mta", {}).get("nodes", 1))


def take_settings(layout: Layout, nodes: int = 1) -> None:
    """Restore the stack file from the checkout, as a killed test may have left it changed.

    For several MTA hosts it is the same with what `several_nodes.yaml` says.
    """
    copy = layout.project / "stacks" / f"Pulumi.{STACK}.yaml"
    # The state is encrypted with this salt, and a new file would get another.
    own = [line for line in copy.read_text().splitlines() if line.startswith("encryptionsalt:")]
    text = (layout.root / "stacks" / copy.name).read_text()
    if nodes > 1:
        for key, value in yaml.safe_load(_SEVERAL_NODES.read_text()).items():
            text = put(text, ("config", f"{PROJECT}:{key}"), value)
        text = put(text, ("config", f"{PROJECT}:mta", "nodes"), nodes)
    copy.write_text("".join(f"{line}\n" for line in own) + text)


def outputs(stack: automation.Stack, layout: Layout) -> Mapping[str, Any]:
    """Stack outputs with throw-away secrets in plain text.

    The engine takes seconds to print them, so they are read again only after a state change.
    """
    return _outputs(stack, _version(layout))


@functools.lru_cache(maxsize=1)
def _outputs(stack: automation.Stack, _version: int) -> Mapping[str, Any]:
    return {name: output.value for name, output in stack.outputs().items()}


def _version(layout: Layout) -> int:
    state = layout.backend / ".pulumi" / "stacks" / PROJECT / f"{STACK}.json"
    return state.stat().st_mtime_ns if state.exists() else 0


def release_dead_locks(layout: Layout) -> None:
    """Remove the locks of killed runs; the lock of a running one stays."""
    for path in (layout.backend / ".pulumi" / "locks").rglob("*.json"):
        with contextlib.suppress(FileNotFoundError, ValueError):
            if not Path(f"/proc/{json.loads(path.read_text())['pid']}").exists():
                path.unlink()


def _attached(endpoints: Endpoints, real: Collection[str]) -> str:
    providers = endpoints.debug_providers.split(",")
    return ",".join(each for each in providers if each.partition(":")[0] not in real)


def _program(layout: Layout) -> Callable[[], None]:
    def run() -> None:
        sys.path.insert(0, str(layout.root))
        try:
            runpy.run_path(str(layout.root / "__main__.py"), run_name="__main__")
        finally:
            sys.path.remove(str(layout.root))

    return run


def _passphrase(layout: Layout) -> str:
    path = layout.state / "passphrase"
    if not path.exists():
        replace(path, secrets.token_urlsafe(32))
    return path.read_text()
