"""EBS volumes as files and block devices."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.process import SandboxError
from sandbox.volumes import Volumes, link_name

pytestmark = pytest.mark.sandbox


@pytest.fixture
def volumes(tmp_path: Path) -> Iterator[Volumes]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = Volumes(folder=tmp_path)
    made.create("vol-1", gib=1)
    yield made
    for volume in made.ids():
        made.delete(volume)


def test_a_volume_takes_no_room_until_it_is_written(volumes: Volumes, tmp_path: Path) -> None:
    found = (tmp_path / "vol-1.img").stat()
    assert (found.st_size, found.st_blocks) == (2**30, 0)


def test_opening_twice_gives_the_same_device_and_closing_keeps_the_content(
    volumes: Volumes,
) -> None:
    device = volumes.open("vol-1")
    assert volumes.open("vol-1") == device
    with device.path.open("r+b") as disk:
        disk.write(b"kept")
    volumes.close("vol-1")
    assert volumes.device("vol-1") is None
    with volumes.open("vol-1").path.open("rb") as disk:
        assert disk.read(4) == b"kept"


def test_a_volume_grows_while_it_is_in_use_and_never_shrinks(volumes: Volumes) -> None:
    device = volumes.open("vol-1")
    volumes.create("vol-1", gib=2)
    with device.path.open("rb") as disk:
        assert disk.seek(0, os.SEEK_END) == 2 * 2**30
    with pytest.raises(SandboxError, match="vol-1: a volume cannot shrink to 1 GiB"):
        volumes.create("vol-1", gib=1)


def test_a_volume_that_does_not_exist_is_named(volumes: Volumes) -> None:
    with pytest.raises(SandboxError, match="vol-9 does not exist"):
        volumes.open("vol-9")


def test_a_host_finds_it_by_the_id_without_its_dash() -> None:
    assert link_name("vol-0ab") == "nvme-Amazon_Elastic_Block_Store_vol0ab"
