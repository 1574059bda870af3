"""A push on a real file system that loses its power, or fails, at each step."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostagent.errors import AgentError
from hostagent.push import recover
from tests.file_systems import FileSystem, needs_a_loop_device
from tests.hostagent.push.test_interruption import NEW, OLD, PACKAGED, STEPS, prepared
from tests.hostagent.world import World, new_world

pytestmark = needs_a_loop_device


class Cut(BaseException):
    """The program ends here."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FileSystem]:
    with FileSystem.mounted(tmp_path) as disk:
        yield disk


@pytest.fixture
def world(disk: FileSystem) -> World:
    world = new_world(disk.root / "host")
    prepared(world)
    os.sync()
    return world


@pytest.mark.parametrize("step", STEPS)
def test_a_power_cut_leaves_one_release_whole_and_the_next_push_succeeds(
    world: World, disk: FileSystem, step: str
) -> None:
    def cut(done: str) -> None:
        if done == step:
            disk.lose_power()
            raise Cut

    with pytest.raises((Cut, OSError)):
        world.push(NEW, observer=cut)
    disk.boot()
    recover.finish(world.host())
    assert world.torn(OLD, NEW, packaged=PACKAGED) is None
    assert world.live() == (NEW.id if STEPS.index(step) >= STEPS.index("switched") else OLD.id)
    world.push(NEW)
    assert world.live() == NEW.id
    assert world.torn(OLD, NEW, packaged=PACKAGED) is None


@pytest.mark.parametrize("step", STEPS[:-1])
def test_a_root_disk_that_fails_leaves_one_release_whole(
    world: World, disk: FileSystem, step: str
) -> None:
    def fail(done: str) -> None:
        if done == step:
            disk.fail()

    with pytest.raises((OSError, AgentError)):
        world.push(NEW, observer=fail)
    disk.boot()
    recover.finish(world.host())
    assert world.torn(OLD, NEW, packaged=PACKAGED) is None
    world.push(NEW)
    assert world.live() == NEW.id
