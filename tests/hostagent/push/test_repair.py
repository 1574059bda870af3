"""Drift is told by a look that changes nothing, and put right by a push that asks for it."""

from hostagent.metrics.status import status
from hostagent.push.drift import drift
from hostagent.release.show import show
from tests.hostagent.world import POLICY, World, file, release

ADDED = f"{POLICY}/data/mine.json"


def found(world: World) -> set[tuple[str, str]]:
    """What differs, and how."""
    return {(item["what"], item["found"]) for item in drift(world.host())["differences"]}


def test_a_host_just_pushed_to_does_not_drift(world: World) -> None:
    world.push(release())
    world.play.enabled.update(["kumomta.service", "nginx.service"])
    assert found(world) == set()


def test_a_file_that_somebody_added_is_reported_and_moved_to_the_backup(world: World) -> None:
    made = release()
    world.push(made)
    path = world.root / ADDED[1:]
    path.parent.mkdir()
    path.write_text("{}")
    assert (ADDED, "not in the release") in found(world)
    report = world.push(made, always=True)
    assert report["repaired"] == [ADDED]
    assert not path.exists()
    assert (ADDED, "not in the release") not in found(world)
    (kept,) = (world.root / "opt/ping8/backup").glob(f"*-drift/stored{ADDED}")
    assert kept.read_text() == "{}"


def test_an_edited_file_is_restored_and_its_unit_restarted(world: World) -> None:
    made = release()
    world.push(made)
    path = world.root / "etc/default/kumomta"
    path.chmod(0o644)
    assert ("/etc/default/kumomta", "mode 0644 instead of 0600") in found(world)
    world.play.asked.clear()
    report = world.push(made, always=True)
    assert report["repaired"] == ["/etc/default/kumomta"]
    assert world.play.changes() == ["restart kumomta.service"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_look_at_drift_changes_nothing(world: World) -> None:
    world.push(release())
    before = sorted(str(path) for path in world.root.rglob("*"))
    world.play.asked.clear()
    found(world)
    assert sorted(str(path) for path in world.root.rglob("*")) == before
    assert world.play.changes() == []


def test_a_release_is_shown_without_what_its_secret_files_hold(world: World) -> None:
    world.push(release())
    shown = show(world.host())
    secret = shown["files"]["/etc/default/kumomta"]
    assert (secret["content"], secret["mode"]) == (None, 0o600)
    others = [one["content"] for one in shown["files"].values() if one["content"] is not None]
    assert others


def test_a_kept_release_says_how_it_differs_from_the_live_one(world: World) -> None:
    world.push(release())
    first = show(world.host())["release"]
    world.push(release(file(f"{POLICY}/init.lua", "-- another")))
    found = status(world.host())["kept_differs"]
    assert found.keys() == {first}
    assert found[first]["changed"]
