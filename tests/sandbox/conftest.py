"""Clouds for the sandbox's tests: one of its own for each module, and the whole sandbox, once."""

import os
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from sandbox import breaking, health, run, system
from sandbox.layout import Layout
from sandbox.network import Cloud
from sandbox.process import SandboxError
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
    try:
        standing = run.up(layout, print)
        _into_known_state(standing)
    except SandboxError as error:
        pytest.exit(f"the sandbox is not healthy: {error}", returncode=1)
    try:
        yield standing
    finally:
        if not was_up:
            run.down(layout, print)
        elif not layout.state.exists():
            run.up(layout, print)


@pytest.fixture
def receiver_behaves(sandbox_up: run.Sandbox) -> Iterator[Callable[[Behaviour], None]]:
    """Says how PING8's receiver treats calls from now on; after the test it takes each again."""
    folder = sandbox_up.layout.world
    yield partial(behave, folder)
    behave(folder, Behaviour())


def _into_known_state(standing: run.Sandbox) -> None:
    """Nothing is planted, and every unit runs."""
    breaking.fix_all(standing.parts, standing.deployment)
    hosts = standing.hosts
    for name, units in health.failed_units(standing.deployment, hosts).items():
        instance = standing.deployment.host(name).instance_id
        hosts.execute(instance, "systemctl", "restart", *units, check=False)
    health.require_healthy(standing.deployment, hosts)
