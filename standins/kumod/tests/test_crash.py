"""The stand-in loses in a crash what kumod loses (recorded cases 10_logs_*)."""

import json
from pathlib import Path

import pytest
import zstandard

from standins.kumod import Kumod, SmtpReply
from standins.kumod.tests.policies import BASE, request, started

FIVE_MINUTES = BASE
TWO_SECONDS = BASE.replace("'5m'", "'2s'")


def readable(root: Path) -> list[str]:
    """The records in the segments, as far as they can be read."""
    kinds = []
    for segment in sorted((root / "var/log/kumomta").glob("[0-9]*")):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(segment.read_bytes())
        kinds += [json.loads(line)["type"] for line in data.split(b"\n")[:-1]]
    return kinds


def modes(root: Path) -> set[str]:
    """Whether segments are open or done."""
    paths = (root / "var/log/kumomta").glob("[0-9]*")
    return {"open" if path.stat().st_mode & 0o200 else "done" for path in paths}


def delivering(root: Path, policy: str, messages: int) -> Kumod:
    """A kumod that delivered that many messages."""
    kumod = started(root, policy, smtp=lambda _attempt: SmtpReply(code=250, content="ok"))
    for _ in range(messages):
        kumod.inject(request())
    kumod.run()
    return kumod


def waiting(root: Path) -> Kumod:
    """A kumod whose messages no server accepts yet."""
    answer = SmtpReply(code=451, content="later")
    return started(root, FIVE_MINUTES, smtp=lambda _attempt: answer)


def test_a_kill_takes_the_records_that_the_compressor_holds(tmp_path: Path) -> None:
    kumod = delivering(tmp_path, FIVE_MINUTES, 200)
    kumod.advance(30)
    assert len(kumod.records) == 400
    assert len(readable(tmp_path)) < 400, "177 on kumod"
    assert modes(tmp_path) == {"open"}
    del kumod
    again = started(tmp_path, FIVE_MINUTES)
    assert modes(tmp_path) == {"done"}, "a start marks what was left open"
    assert len(readable(tmp_path)) < 400, "they do not come back"
    assert again.scheduler.waiting() == [], "and nothing is sent again"


def test_short_segments_keep_all_but_the_last_seconds(tmp_path: Path) -> None:
    kumod = delivering(tmp_path, TWO_SECONDS, 20)
    kumod.advance(3)
    assert len(readable(tmp_path)) == 40
    kumod.inject(request())
    kumod.run()
    assert len(readable(tmp_path)) == 40


def test_a_stop_loses_no_record(tmp_path: Path) -> None:
    delivering(tmp_path, FIVE_MINUTES, 200).stop()
    assert len(readable(tmp_path)) == 400
    assert modes(tmp_path) == {"done"}


def test_a_killed_kumod_keeps_its_mail_and_a_power_cut_takes_the_last_seconds(
    tmp_path: Path,
) -> None:
    kumod = waiting(tmp_path)
    kumod.inject(request())
    kumod.advance(40)
    kumod.inject(request())
    assert len(waiting(tmp_path).spool.load_all()) == 2
    kumod.power_cut()
    assert len(waiting(tmp_path).spool.load_all()) == 1


@pytest.mark.parametrize(("write_back", "left"), [(30.0, 0), (1.0, 1)])
def test_the_window_of_a_power_cut_is_the_kernels_write_back(
    tmp_path: Path, write_back: float, left: int
) -> None:
    kumod = waiting(tmp_path)
    kumod.inject(request())
    kumod.advance(5)
    kumod.power_cut(write_back)
    assert len(kumod.spool.load_all()) == left


def test_a_power_cut_undoes_segments_and_deliveries_too(tmp_path: Path) -> None:
    kumod = delivering(tmp_path, TWO_SECONDS, 20)
    kumod.advance(3)
    kumod.power_cut()
    assert readable(tmp_path) == []
    assert kumod.spool.load_all() == [], "accepted in the window: gone like its records"
