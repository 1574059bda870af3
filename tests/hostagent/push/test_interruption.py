"""Cut off at any step: the live files are one release's, and a retry succeeds."""

import errno
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from hostagent import durable
from hostagent.commands import Result
from hostagent.errors import AgentError
from hostagent.push import recover
from hostagent.push.rollback import rollback
from tests.hostagent.world import POLICY, World, file, release

NGINX = "/etc/nginx/sites-enabled/ping8.conf"
UNIT = "/etc/systemd/system/ping8-x.service"
OLD = release(
    file(f"{POLICY}/init.lua", "-- old"),
    file(NGINX, "old", effects=("reload nginx.service",)),
    file("/etc/only-old.conf", "old"),
)
NEW = release(
    file(f"{POLICY}/init.lua", "-- new"),
    file(f"{POLICY}/data/new.json", "{}"),
    file("/etc/default/kumomta", "B=c\n", effects=("restart kumomta.service",)),
    file(NGINX, "new", effects=("reload nginx.service",)),
    file("/etc/only-new.conf", "new"),
    file("/etc/in-the-way.conf", "new"),
    file(UNIT, "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"),
)
PACKAGED = {"/etc/in-the-way.conf": "the package's"}
STEPS = (
    "locked",
    "recovered",
    "identified",
    "mounted",
    "packages",
    "prepared",
    "staged",
    "pending",
    "linked",
    "validated",
    "adopted",
    "switched",
    "settled",
    "restart kumomta.service",
    "reload nginx.service",
    "started",
    "healthy",
    "finished",
)


def prepared(world: World) -> None:
    (world.root / "etc/in-the-way.conf").write_text("the package's")
    world.push(OLD)


def killed(world: World, act: Callable[[], Any]) -> bool:
    """Do it in a child, which may kill itself; whether it did."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def kill_at(step: str) -> Callable[[str], None]:
    def observer(done: str) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return observer


def whole(world: World) -> str | None:
    return world.torn(OLD, NEW, packaged=PACKAGED)


def test_the_steps_are_all_there_are(world: World) -> None:
    seen: list[str] = []
    prepared(world)
    world.push(NEW, observer=seen.append)
    assert tuple(seen) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_one_release_live_and_the_next_push_succeeds(world: World, step: str) -> None:
    prepared(world)
    assert killed(world, lambda: world.push(NEW, observer=kill_at(step)))
    assert whole(world) is None
    assert world.live() == (NEW.id if STEPS.index(step) >= STEPS.index("switched") else OLD.id)
    world.push(NEW)
    assert world.live() == NEW.id
    assert whole(world) is None
    assert not (world.root / "opt/ping8/pending.json").exists()


@pytest.mark.parametrize("step", STEPS[STEPS.index("pending") :])
def test_a_kill_is_finished_by_the_boot_unit_alone(world: World, step: str) -> None:
    prepared(world)
    killed(world, lambda: world.push(NEW, observer=kill_at(step)))
    world.play.asked.clear()
    recover.finish(world.host())
    assert whole(world) is None
    assert not (world.root / "opt/ping8/pending.json").exists()
    switched = STEPS.index(step) >= STEPS.index("switched")
    settled = STEPS.index(step) >= STEPS.index("finished")
    assert ("restart kumomta.service" in world.play.changes()) == (switched and not settled)


@pytest.mark.parametrize("step", ["switched back", "settled", "restart kumomta.service", "started"])
def test_a_kill_while_going_back_is_finished_by_the_boot_unit(world: World, step: str) -> None:
    prepared(world)

    def fail_then_kill() -> None:
        world.play.once["systemctl reload-or-restart nginx.service"] = Result(1, "no")
        back = []

        def observer(done: str) -> None:
            back.append(done)
            if "switched back" in back and done == step:
                os.kill(os.getpid(), signal.SIGKILL)

        world.push(NEW, observer=observer)

    assert killed(world, fail_then_kill)
    assert world.live() == OLD.id
    assert whole(world) is None
    world.play.asked.clear()
    recover.finish(world.host())
    assert "restart kumomta.service" in world.play.changes()
    assert whole(world) is None
    assert (world.root / "etc/in-the-way.conf").read_text() == "the package's"
    assert not (world.root / "opt/ping8/pending.json").exists()


@pytest.mark.parametrize("step", STEPS[: STEPS.index("switched")])
def test_an_error_before_the_switch_leaves_everything_as_it_was(world: World, step: str) -> None:
    prepared(world)
    before = tree(world)

    def observer(done: str) -> None:
        if done == step:
            raise OSError(errno.ENOSPC, "No space left on device", "/opt/ping8")

    with pytest.raises((OSError, AgentError)):
        world.push(NEW, observer=observer)
    assert tree(world) == before
    world.push(NEW)
    assert whole(world) is None


@pytest.mark.parametrize("step", STEPS[STEPS.index("switched") + 1 : -2])
def test_an_error_after_the_switch_goes_back(world: World, step: str) -> None:
    prepared(world)
    before = tree(world)
    raised: list[str] = []

    def observer(done: str) -> None:
        if done == step and not raised:
            raised.append(step)
            raise OSError(errno.ENOSPC, "No space left on device", "/opt/ping8")

    with pytest.raises(AgentError, match="rolled back"):
        world.push(NEW, observer=observer)
    assert tree(world) == before
    world.push(NEW)
    assert whole(world) is None


@pytest.mark.parametrize("number", range(1, 12))
def test_a_full_disk_at_any_file_leaves_the_old_release(
    world: World, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(world)
    written = 0
    create = durable.create

    def full(*arguments: Any, **more: Any) -> None:
        nonlocal written
        written += 1
        if written == number:
            raise OSError(errno.ENOSPC, "No space left on device", str(arguments[0]))
        create(*arguments, **more)

    monkeypatch.setattr(durable, "create", full)
    try:
        world.push(NEW)
    except (OSError, AgentError):
        assert whole(world) is None
    monkeypatch.setattr(durable, "create", create)
    world.push(NEW)
    assert world.live() == NEW.id
    assert whole(world) is None


def tree(world: World) -> dict[str, str]:
    """Every path of the host outside the agent's own folder, and where links lead."""
    found = {}
    for path in sorted(world.root.rglob("*")):
        name = str(path.relative_to(world.root))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file() and not name.startswith("opt/ping8/"):
            found[name] = path.read_text()
    return {name: text for name, text in found.items() if "/.staging" not in name}


def test_a_release_left_by_a_killed_push_is_not_trusted_when_it_was_changed_since(
    world: World,
) -> None:
    prepared(world)
    killed(world, lambda: world.push(NEW, observer=kill_at("staged")))
    stored = world.root / f"opt/ping8/releases/{NEW.id}/root{POLICY}/init.lua"
    stored.write_text("-- changed")
    world.push(NEW)
    assert whole(world) is None


def test_two_pushes_at_once_are_one_after_the_other_or_refused(world: World) -> None:
    prepared(world)
    refusal: list[str] = []

    def second(step: str) -> None:
        if step == "validated":
            with pytest.raises(AgentError) as caught:
                world.push(OLD)
            refusal.append(str(caught.value))

    world.push(NEW, observer=second)
    assert f"`push`, process {os.getpid()}, since" in refusal[0]
    assert whole(world) is None


def test_a_rollback_during_a_push_is_refused_or_comes_after_it(world: World) -> None:
    prepared(world)
    refusal: list[str] = []

    def second(step: str) -> None:
        if step == "validated":
            with pytest.raises(AgentError) as caught:
                rollback(world.host(), None)
            refusal.append(str(caught.value))

    world.push(NEW, observer=second)
    assert f"`push`, process {os.getpid()}, since" in refusal[0]
    assert whole(world) is None
    rollback(world.host(), None, old_credentials=True)
    assert world.live() == OLD.id
    assert whole(world) is None


@pytest.mark.parametrize("step", STEPS[:-1])
def test_the_boot_unit_leaves_a_push_that_is_at_work_alone(world: World, step: str) -> None:
    prepared(world)

    def second(done: str) -> None:
        if done == step:
            assert recover.finish(world.host())["done"] == ""

    world.push(NEW, observer=second)
    assert world.live() == NEW.id
    assert whole(world) is None
