"""The outbox on a real file system that is full, read-only, failing, or has lost its power."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hostagent.errors import AgentError
from hostagent.events.outbox import Stopped
from hostagent.events.record import event_id
from tests.file_systems import FileSystem, needs_a_loop_device
from tests.hostagent.events.receiver import Receiver
from tests.hostagent.events.test_outbox import Host, record, refuse_where

pytestmark = needs_a_loop_device
SEGMENTS = ("20261101-120000.1", "20261101-120001.1")


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[FileSystem]:
    with FileSystem.mounted(tmp_path) as volume:
        yield volume


@pytest.fixture
def host(volume: FileSystem) -> Iterator[Host]:
    receiver = Receiver()
    host = Host(volume.root, receiver)
    for number, name in enumerate(SEGMENTS):
        host.write(name, record(2 * number), record(2 * number + 1))
    os.sync()
    yield host
    receiver.close()


def fill(volume: FileSystem) -> None:
    """Not a byte is left."""
    with (volume.root / "filler").open("wb") as file:
        try:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        except OSError as error:
            assert error.errno == errno.ENOSPC


@pytest.mark.parametrize("fault", [FileSystem.read_only, fill])
def test_a_volume_that_takes_no_writes_delays_nothing_and_repeats_nothing(
    host: Host, volume: FileSystem, fault: Callable[[FileSystem], None]
) -> None:
    service = host.service()
    fault(volume)
    for _ in range(3):
        service.work()
    assert host.ids() == ["0000", "0001", "0002", "0003"]


def test_after_a_read_only_mount_the_segments_go_and_nothing_is_sent_again(
    host: Host, volume: FileSystem
) -> None:
    service = host.service()
    volume.read_only()
    service.work()
    assert host.left() == list(SEGMENTS)
    volume.boot()
    service.work()
    assert host.left() == []
    assert len(host.ids()) == 4


def test_refused_events_wait_in_a_full_volume_until_their_store_has_room(
    host: Host, volume: FileSystem
) -> None:
    host.receiver.answer = refuse_where("0001", status=422)
    fill(volume)
    host.most_waits = 2
    with pytest.raises(Stopped):
        host.service().work()
    assert host.left() == list(SEGMENTS)
    (volume.root / "filler").unlink()
    host.most_waits = 10**6
    host.service().work()
    assert host.left() == []
    assert host.stored("dead_letters") == ["0001"]
    assert {"0000", "0002", "0003"} <= set(host.ids())


def test_a_volume_with_io_errors_loses_nothing(host: Host, volume: FileSystem) -> None:
    service = host.service()
    volume.fail()
    # systemd starts it again, and its crash loop is an alarm.
    with pytest.raises((OSError, AgentError)):
        service.work()
    volume.boot()
    host.service().work()
    assert set(host.ids()) == {"0000", "0001", "0002", "0003"}
    assert host.left() == []


def test_after_a_power_cut_every_event_is_sent_and_none_counts_as_a_new_one(
    host: Host, volume: FileSystem
) -> None:
    """Segments whose deletion was not written yet come back: their events keep their ids."""
    host.service().work()
    assert host.left() == []
    volume.lose_power()
    volume.boot()
    host.service().work()
    assert host.left() == []
    assert {event_id(event) for event in host.receiver.events()} == {
        event_id(record(number)) for number in range(4)
    }


def test_a_dead_letter_survives_a_power_cut(host: Host, volume: FileSystem) -> None:
    host.receiver.answer = refuse_where("0001", status=422)
    host.service().work()
    volume.lose_power()
    volume.boot()
    assert host.stored("dead_letters") == ["0001"]
