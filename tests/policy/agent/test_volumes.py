"""Volumes that are not there, or not blank, with a clock of our own; real ones are in `host`."""

import pytest

from policy.agent import volumes
from policy.agent.errors import AgentError
from policy.agent.model import Mount, parse_bundle
from policy.push import push_input
from policy.release import HostFacts
from policy.release import Mount as RenderedMount
from tests.policy.agent.world import INSTANCE, World, release

SPOOL = "/var/spool/kumomta"
VOLUME = "vol-0123456789abcdef0"


def mount(world: World, *facts: tuple[str, str]) -> None:
    rendered = release(mounts=(RenderedMount(volume="spool", path=SPOOL),))
    text = push_input(rendered, HostFacts(name="mta", instance_id=INSTANCE, volumes=facts))
    volumes.mount_all(world.host(), parse_bundle(text.encode()))


def test_a_volume_that_is_never_attached_is_waited_for_and_named(world: World) -> None:
    with pytest.raises(AgentError, match=rf"volume {VOLUME} \(spool\) does not appear at .* 300 s"):
        mount(world, ("spool", VOLUME))
    assert 300 <= world.clock < 310
    assert f"waiting for volume {VOLUME} (spool) to be attached" in world.progress.getvalue()
    assert world.play.asked == []


def test_a_volume_that_the_push_does_not_name_is_refused(world: World) -> None:
    with pytest.raises(AgentError, match="the push names no such volume"):
        mount(world, ("logs", VOLUME))


def test_what_is_no_block_device_is_refused(world: World) -> None:
    link = world.root / volumes.device_link(VOLUME).lstrip("/")
    link.parent.mkdir(parents=True)
    link.write_text("")
    with pytest.raises(AgentError, match="is no block device"):
        mount(world, ("spool", VOLUME))


def test_what_is_not_mounted_is_told(world: World) -> None:
    mounts = (Mount(volume="spool", path=SPOOL),)
    assert volumes.unmounted(world.host(), mounts) == (SPOOL,)
