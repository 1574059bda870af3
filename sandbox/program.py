"""The very program, run by the real engine against the stand-in providers."""

import os
import runpy
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation import LocalWorkspaceOptions, PulumiCommand

from sandbox.layout import Layout
from sandbox.providers.endpoints import Endpoints

STACK = "sandbox"
PROJECT = "ping8-mail"


def open_stack(layout: Layout, engine: Path, endpoints: Endpoints) -> automation.Stack:
    """The sandbox's stack, in a project folder of its own.

    The stack file is a copy, so that a run, or a test that changes settings, leaves the checkout
    clean; state stands in files, encrypted with a passphrase that never leaves the checkout.
    """
    folder = layout.state / "project"
    backend = layout.state / "pulumi"
    for path in (folder / "stacks", backend):
        path.mkdir(parents=True, exist_ok=True)
    shutil.copy2(layout.root / "Pulumi.yaml", folder / "Pulumi.yaml")
    copy = folder / "stacks" / f"Pulumi.{STACK}.yaml"
    if not copy.exists():
        shutil.copy2(layout.root / "stacks" / copy.name, copy)
    options = LocalWorkspaceOptions(
        work_dir=str(folder),
        pulumi_command=PulumiCommand(root=str(engine.parent.parent)),
        env_vars={
            "PULUMI_BACKEND_URL": f"file://{backend}",
            "PULUMI_CONFIG_PASSPHRASE": _passphrase(layout),
            "PULUMI_DEBUG_PROVIDERS": endpoints.debug_providers,
            "PULUMI_HOME": str(layout.cache / "pulumi-home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        },
    )
    return automation.create_or_select_stack(
        stack_name=STACK, project_name=PROJECT, program=_program(layout), opts=options
    )


def outputs(stack: automation.Stack) -> Mapping[str, Any]:
    """Stack outputs, secrets in plain text: they are throw-away ones."""
    return {name: output.value for name, output in stack.outputs().items()}


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
