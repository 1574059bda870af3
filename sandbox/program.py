"""The very program, run by the real engine against the stand-in providers."""

import contextlib
import json
import os
import runpy
import secrets
import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation import LocalWorkspaceOptions, PulumiCommand

from sandbox.layout import Layout
from standins.pulumi.endpoints import Endpoints

STACK = "sandbox"
PROJECT = "ping8-mail"


def open_stack(
    layout: Layout, engine: Path, endpoints: Endpoints, *, real: Collection[str] = ()
) -> automation.Stack:
    """The sandbox's stack, in a project folder of its own.

    The engine attaches to the stand-in providers but those in `real`, whose plugins it finds. The
    stack file is a copy, so that a run, or a test that changes settings, leaves the checkout
    clean; state is in files, encrypted with a passphrase that never leaves the checkout.
    """
    folder = layout.state / "project"
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


def take_settings(layout: Layout) -> None:
    """The checkout's stack file in place of the copy, which a killed test may have left changed."""
    copy = layout.state / "project" / "stacks" / f"Pulumi.{STACK}.yaml"
    # State is encrypted with it, and a fresh file would get another one.
    own = [line for line in copy.read_text().splitlines() if line.startswith("encryptionsalt:")]
    text = (layout.root / "stacks" / copy.name).read_text()
    copy.write_text("".join(f"{line}\n" for line in own) + text)


def outputs(stack: automation.Stack, layout: Layout) -> Mapping[str, Any]:
    """Stack outputs, secrets in plain text: they are throw-away ones.

    The engine takes seconds to tell them, so it is asked again only when the state has changed.
    """
    if (found := _told.get(_version(layout))) is None:
        found = remember(layout, stack.outputs())
    return found


def remember(layout: Layout, told: automation.OutputMap) -> Mapping[str, Any]:
    """Keep what the engine just told about the state as it is now."""
    _told.clear()
    _told[_version(layout)] = {name: output.value for name, output in told.items()}
    return _told[_version(layout)]


_told: dict[int, Mapping[str, Any]] = {}
"""Outputs by the version of the state that has them."""


def _version(layout: Layout) -> int:
    state = layout.backend / ".pulumi" / "stacks" / PROJECT / f"{STACK}.json"
    return state.stat().st_mtime_ns if state.exists() else 0


def release_dead_locks(layout: Layout) -> None:
    """Open what a run that was killed has left locked; a lock of a living one stays."""
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
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text()
