"""Volumes that are not there, or not blank, with a clock of our own; real ones are in `host`."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from hostagent.commands import Result
from hostagent.errors import AgentError
from hostagent.release.model import Mount, parse_bundle
from hostagent.system import volumes
from policy.push import bundle_of
from policy.release import HostFacts
from policy.release import Mount as RenderedMount
from tests.hostagent.world import INSTANCE, World, release

SPOOL = "/var/spool/kumomta"
VOLUME = "vol-0123456789abcdef0"
GIB = 2**30
needs_ext4 = pytest.mark.skipif(not shutil.which("mkfs.ext4"), reason="needs e2fsprogs")


def mount(world: World, *facts: tuple[str, str]) -> None:
    rendered = release(mounts=(RenderedMount(volume="spool", path=SPOOL),))
    text = bundle_of(rendered, HostFacts(name="mta", instance_id=INSTANCE, volumes=facts))
    volumes.mount_all(world.host(), parse_bundle(text.encode()))


def test_a_volume_that_is_never_attached_is_waited_for_and_named(world: World) -> None:
    with pytest.raises(AgentError, match=rf"volume {VOLUME} \(spool\) does not appear at .* 300 s"):
        mount(world, ("spool", VOLUME))
    assert 300 <= world.clock < 310
    assert f"waiting for volume {VOLUME} (spool) to be attached" in world.progress.getvalue()
    assert world.play.asked == []


def grow(
    world: World,
    gib: int,
    monkeypatch: pytest.MonkeyPatch,
    *,
    made: int = 1,
    real: int,
    xfs: bool = False,
) -> None:
    """A push to a volume of so many GiB whose file system was made when it had fewer."""
    monkeypatch.setattr(Path, "is_mount", lambda path: str(path).endswith(SPOOL))
    device = world.root / volumes.device_link(VOLUME).lstrip("/")
    device.parent.mkdir(parents=True)
    with device.open("wb") as file:
        file.truncate(made * GIB)
    if xfs:
        device.write_bytes(b"XFSB" + struct.pack(">IQ", 4096, made * GIB // 4096))
    else:
        subprocess.run(["mkfs.ext4", "-q", "-F", str(device)], check=True)
    os.truncate(device, real * GIB)
    rendered = release(mounts=(RenderedMount(volume="spool", path=SPOOL),))
    facts = HostFacts(
        name="mta", instance_id=INSTANCE, volumes=(("spool", VOLUME),), sizes=(("spool", gib),)
    )
    volumes.grow(world.host(), parse_bundle(bundle_of(rendered, facts).encode()))


@needs_ext4
def test_a_file_system_grows_with_its_volume(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(world, 2, monkeypatch, real=2)
    assert [words[0] for words in world.play.asked] == ["resize2fs"]
    assert f"the file system at {SPOOL} now uses all of its volume" in world.progress.getvalue()
    assert world.clock == 0


def test_a_file_system_that_an_operator_made_with_xfs_grows_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(world, 2, monkeypatch, real=2, xfs=True)
    assert world.play.asked == [["xfs_growfs", "-d", SPOOL]]


@needs_ext4
def test_a_file_system_as_large_as_its_volume_costs_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(world, 2, monkeypatch, made=2, real=2)
    assert world.play.asked == []
    assert world.progress.getvalue() == ""


@needs_ext4
def test_a_volume_that_did_not_grow_yet_is_awaited_and_then_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(world, 3, monkeypatch, made=2, real=2)
    assert 30 <= world.clock < 40
    assert "volume spool has 2 GiB here but 3 in the settings" in world.progress.getvalue()


@needs_ext4
def test_a_file_system_that_does_not_grow_is_a_warning_and_mail_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.play.refuse["resize2fs"] = Result(1, "Operation not permitted")
    grow(world, 2, monkeypatch, real=2)
    assert "does not grow: Operation not permitted; run `resize2fs" in world.progress.getvalue()


def test_a_volume_that_the_push_does_not_name_is_refused(world: World) -> None:
    with pytest.raises(AgentError, match="the push names no such volume"):
        mount(world, ("logs", VOLUME))


def test_what_is_no_block_device_is_refused(world: World) -> None:
    link = world.root / volumes.device_link(VOLUME).lstrip("/")
    link.parent.mkdir(parents=True)
    link.write_text("")
    with pytest.raises(AgentError, match="is not a block device"):
        mount(world, ("spool", VOLUME))


@pytest.mark.parametrize("offset", [0, 4096, 2**20 - 1])
def test_a_volume_with_data_that_no_probe_knows_is_never_formatted(
    world: World, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    device = world.root / volumes.device_link(VOLUME).lstrip("/")
    device.parent.mkdir(parents=True)
    device.write_bytes(b"\0" * offset + b"somebody's" + b"\0" * 2**20)
    monkeypatch.setattr("stat.S_ISBLK", lambda mode: True)
    world.play.refuse["blkid"] = Result(2, "")
    with pytest.raises(AgentError, match="holds data that is not a known file system"):
        mount(world, ("spool", VOLUME))
    assert not any(words[0].startswith("mkfs") for words in world.play.asked)


def test_what_is_not_mounted_is_reported(world: World) -> None:
    mounts = (Mount(volume="spool", path=SPOOL),)
    assert volumes.unmounted(world.host(), mounts) == (SPOOL,)


@pytest.mark.parametrize(("kind", "commits"), [("ext4", True), ("xfs", False)])
def test_ext4_commits_each_second_because_kumod_does_not_sync(kind: str, commits: bool) -> None:
    unit = volumes.mount_unit(Mount(volume="spool", path=SPOOL), "vol-0a", kind)
    assert ("commit=1" in unit) is commits
    assert "Options=noatime,nodev,nosuid,noexec" in unit
