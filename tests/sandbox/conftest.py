"""Clouds for the sandbox's tests: one of its own for each module, and the whole sandbox, once."""

import os
from collections.abc import Iterator

import pytest

from sandbox import run, system
from sandbox.layout import Layout
from sandbox.network import Cloud
from sandbox.world.webhook import Behaviour, behave


@pytest.fixture(scope="session")
def able_machine() -> None:
    """Skips where no sandbox can run, with the reason."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if missing := system.missing_packages():
        pytest.skip(f"needs packages: {' '.join(missing)}")


@pytest.fixture(scope="module")
def cloud(able_machine: None) -> Iterator[Cloud]:
    made = Cloud(prefix=f"t{os.getpid()}", machine=False)
    try:
        yield made
    finally:
        made.down()


@pytest.fixture(scope="session")
def sandbox_up(able_machine: None) -> Iterator[run.Sandbox]:
    """The whole sandbox, deployed. One that was up before the tests is up after them."""
    layout = Layout.of_checkout()
    was_up = layout.state.exists()
    standing = run.up(layout, print)
    behave(layout.world, Behaviour())
    try:
        yield standing
    finally:
        if not was_up:
            run.down(layout, print)
        elif not layout.state.exists():
            run.up(layout, print)
