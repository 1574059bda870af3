"""A push under a temporary root: what a host is afterwards, and what it was told."""

import re
from dataclasses import replace

import pytest

from hostagent import draining
from hostagent.commands import Result
from hostagent.errors import AgentError
from hostagent.layout import Layout
from hostagent.push.push import push
from hostagent.release.model import parse_bundle
from policy.push import bundle_of
from policy.release import HostFacts
from tests.hostagent.world import INSTANCE, POLICY, TOKEN, World, bundle, file, release

NGINX = "/etc/nginx/sites-enabled/ping8.conf"


def test_a_first_push_makes_every_live_path_a_link_into_the_current_release(world: World) -> None:
    first = release(file(NGINX, "server {}", effects=("reload nginx.service",)))
    report = world.push(first)
    assert world.torn(first) is None
    assert world.live() == first.id == report["release"]
    assert (world.root / NGINX[1:]).readlink() == world.root / f"opt/ping8/current/root{NGINX}"
    assert (world.root / POLICY[1:]).is_symlink()


def test_modes_are_those_of_the_release(world: World) -> None:
    world.push(release(file("/etc/shared", "x", mode=0o664)))
    modes = {
        path: (world.root / path).stat().st_mode & 0o7777
        for path in ("etc/default/kumomta", "etc/shared")
    }
    assert modes == {"etc/default/kumomta": 0o600, "etc/shared": 0o664}


@pytest.mark.parametrize(
    ("whole", "damaged"), [("-- policy", "-- pomicy"), ('"mode":384', '"mode":511'), ("}", "")]
)
def test_a_damaged_bundle_is_refused_before_anything_is_done(whole: str, damaged: str) -> None:
    text = bundle_of(release(), HostFacts(name="mta", instance_id=INSTANCE))
    assert whole in text
    with pytest.raises(AgentError, match="the bundle is corrupt"):
        parse_bundle(text.replace(whole, damaged).encode())


def test_the_same_release_again_changes_and_restarts_nothing(world: World) -> None:
    first = release()
    world.push(first)
    world.play.asked.clear()
    report = world.push(first)
    assert world.play.changes() == []
    assert report["changed"] == report["restarted"] == []
    assert len(world.play.asked) == 1


def test_a_push_leaves_a_draining_node_draining(world: World) -> None:
    world.push(release())
    begun = draining.begin(Layout(world.root), "ann", "resize")
    draining.refuse(Layout(world.root))
    world.push(release(file(f"{POLICY}/data/egress.json", "{}")))
    assert draining.read(Layout(world.root)) == replace(begun, refusing=True)


def test_changed_policy_data_restarts_nothing(world: World) -> None:
    world.push(release())
    world.play.asked.clear()
    second = release(file(f"{POLICY}/data/egress.json", "{}"))
    report = world.push(second)
    assert world.torn(second) is None
    assert world.play.changes() == []
    assert report["changed"] == [f"{POLICY}/data/egress.json"]


def test_a_changed_environment_restarts_kumod_alone(world: World) -> None:
    first = release(file(NGINX, "server {}", effects=("reload nginx.service",)))
    world.push(first)
    world.play.asked.clear()
    world.push(
        release(
            file(NGINX, "server {}", effects=("reload nginx.service",)),
            file("/etc/default/kumomta", "A=b\n", effects=("restart kumomta.service",)),
        )
    )
    assert world.play.changes() == ["restart kumomta.service"]


def test_a_file_that_the_new_release_lacks_is_removed_and_its_unit_restarted(world: World) -> None:
    first = release(file(NGINX, "server {}", effects=("reload nginx.service",)))
    second = release()
    world.push(first)
    world.play.asked.clear()
    world.push(second)
    assert world.torn(first, second) is None
    assert not (world.root / NGINX[1:]).is_symlink()
    assert world.play.changes() == ["reload-or-restart nginx.service"]


def test_a_unit_that_the_new_release_lacks_is_stopped_and_not_enabled(world: World) -> None:
    unit = "/etc/systemd/system/ping8-outbox.service"
    text = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
    first = release(file(unit, text), units=("kumomta.service", "ping8-outbox.service"))
    world.push(first)
    wants = world.root / "etc/systemd/system/multi-user.target.wants/ping8-outbox.service"
    assert wants.is_symlink()
    world.play.asked.clear()
    world.push(release(units=("kumomta.service",)))
    assert world.play.changes() == ["stop ping8-outbox.service"]
    assert not wants.is_symlink()


HELPER = "/etc/systemd/system/ping8-addresses.service"
HELPER_TEXT = "[Service]\nType=oneshot\nExecStart=/bin/true\n"


def test_a_helper_whose_file_is_removed_gets_no_effect(world: World) -> None:
    helper = file(HELPER, HELPER_TEXT, effects=("restart ping8-addresses.service",))
    world.push(release(helper))
    world.play.asked.clear()
    world.push(release())
    assert world.play.changes() == []


def test_a_first_release_with_a_helper_is_taken_away_without_asking_for_the_helper(
    world: World,
) -> None:
    helper = file(HELPER, HELPER_TEXT, effects=("restart ping8-addresses.service",))
    world.play.refuse["systemctl restart kumomta.service"] = Result(1, "Job failed")
    with pytest.raises(AgentError, match="was removed"):
        world.push(release(helper))
    asked = world.play.changes()
    assert asked.count("restart ping8-addresses.service") == 1
    assert asked.index("restart ping8-addresses.service") < asked.index("stop kumomta.service")


def test_what_a_package_put_at_a_live_path_is_kept_as_a_backup(world: World) -> None:
    original = world.root / NGINX[1:]
    original.parent.mkdir(parents=True)
    original.write_text("# the package's")
    first = release(file(NGINX, "server {}"))
    report = world.push(first)
    assert world.torn(first) is None
    kept = list((world.root / "opt/ping8/backup").rglob("ping8.conf"))
    assert [path.read_text() for path in kept] == ["# the package's"]
    assert report["backed_up"] == [NGINX]


def test_a_directory_that_a_package_put_at_a_linked_path_is_kept_as_a_backup(world: World) -> None:
    original = world.root / POLICY[1:]
    original.mkdir(parents=True)
    (original / "init.lua").write_text("-- the package's")
    first = release()
    world.push(first)
    assert world.torn(first) is None
    kept = list((world.root / "opt/ping8/backup").rglob("init.lua"))
    assert [path.read_text() for path in kept] == ["-- the package's"]


def test_a_refused_policy_leaves_everything_as_it_was(world: World) -> None:
    first, second = release(), release(file(f"{POLICY}/init.lua", "broken"))
    world.push(first)
    world.play.asked.clear()
    world.play.refuse["systemd-run"] = Result(1, "init.lua:1: syntax error")
    with pytest.raises(AgentError, match=r"`kumod --validate` refuses.*syntax error"):
        world.push(second)
    assert world.live() == first.id
    assert world.torn(first, second) is None
    assert world.play.changes() == []
    assert not (world.root / "opt/ping8/releases" / second.id).exists()


def test_what_the_policy_says_is_the_reason_and_not_the_stack_trace_around_it(
    world: World,
) -> None:
    world.push(release())
    # Recorded from kumod, without the server of the shared limits.
    said = "ping8: the server of the shared limits, rediss://10.8.0.120:6379, does not answer"
    world.play.refuse["systemd-run"] = Result(
        1,
        f"ERROR problem initializing: call init callback: runtime error: {said}\n"
        f"Error: Initialization raised an error: call init callback: runtime error: {said}\n"
        "stack traceback:\n\t[C]: in function 'error'\n\nStack backtrace:\n   0: <unknown>\n"
        "  14: __libc_start_call_main\n             at ./csu/sysdeps/x86/start.h:58:16\n",
    )
    with pytest.raises(AgentError, match=rf"refuses the release: {said}; nothing was changed"):
        world.push(release(file(f"{POLICY}/init.lua", "-- other")))


def test_an_unhealthy_release_is_rolled_back_and_the_cause_reported(world: World) -> None:
    first = release()
    second = release(file("/etc/default/kumomta", "A=b\n", effects=("restart kumomta.service",)))
    world.push(first)
    world.play.once["systemctl restart kumomta.service"] = Result(1, "Job failed")
    with pytest.raises(AgentError, match=rf"rolled back to {first.id}, which is healthy.*failed"):
        world.push(second)
    assert world.live() == first.id
    assert world.torn(first, second) is None
    assert not (world.root / "opt/ping8/pending.json").exists()


def test_a_first_release_that_is_unhealthy_is_taken_away_again(world: World) -> None:
    original = world.root / NGINX[1:]
    original.parent.mkdir(parents=True)
    original.write_text("# the package's")
    first = release(file(NGINX, "server {}"))
    world.play.refuse["systemctl restart kumomta.service"] = Result(1, "Job failed")
    with pytest.raises(AgentError, match="was removed"):
        world.push(first)
    assert world.live() == "none"
    assert original.read_text() == "# the package's"
    assert not original.is_symlink()
    world.play.refuse.clear()
    world.push(first)
    assert world.torn(first) is None


def test_kumod_stops_before_a_switch_to_a_policy_that_needs_the_new_environment(
    world: World,
) -> None:
    first = release()
    second = release(
        file(f"{POLICY}/init.lua", "-- needs B"),
        file("/etc/default/kumomta", "B=c\n", effects=("restart kumomta.service",)),
    )
    world.push(first)
    world.play.asked.clear()
    old = f"EnvironmentFile={world.root}/opt/ping8/releases/{first.id}/root/etc/default/kumomta"
    world.play.refuse[old] = Result(1, "B is missing")
    order: list[str] = []
    world.play.on["systemctl stop kumomta.service"] = lambda: order.append(f"stop {world.live()}")
    world.push(second)
    assert order == [f"stop {first.id}"]
    assert world.play.changes() == ["stop kumomta.service", "restart kumomta.service"]


def test_the_wrong_instance_is_refused(world: World) -> None:
    with pytest.raises(AgentError, match="this host is instance i-0123456789abcdef0"):
        push(world.host(), bundle(release(), instance="i-0fedcba9876543210"))
    assert world.live() == "none"


def test_the_sixth_release_removes_the_first(world: World) -> None:
    pushed = [release(file(f"{POLICY}/init.lua", f"-- {number}")) for number in range(6)]
    for item in pushed:
        world.push(item)
    folder = world.root / "opt/ping8/releases"
    kept = {path.name for path in folder.iterdir()} - {"none"}
    assert kept == {item.id for item in pushed[1:]}


def test_no_secret_shows_in_what_is_said(world: World) -> None:
    world.push(release())
    world.play.journal = f"kumod: token {TOKEN} is wrong"
    world.play.refuse["systemctl restart kumomta.service"] = Result(1, f"bad {TOKEN}")
    other = release(file("/etc/default/kumomta", "A=b\n", effects=("restart kumomta.service",)))
    with pytest.raises(AgentError):
        world.push(other)
    said = world.progress.getvalue()
    assert TOKEN not in said
    assert "token [secret] is wrong" in said


def test_the_report_names_digests_but_none_of_a_secret_file(world: World) -> None:
    report = world.push(release())
    assert report["files"]["/etc/default/kumomta"] == "secret"
    assert re.fullmatch(r"[0-9a-f]{64}", report["files"][f"{POLICY}/init.lua"])


def test_a_masked_unit_is_not_verified(world: World) -> None:
    units = "/etc/systemd/system"
    world.push(
        release(file(f"{units}/a.service", "[Unit]"), file(f"{units}/kumo-tsa-daemon.service", ""))
    )
    (asked,) = [words for words in world.play.asked if "verify" in words]
    assert f"{units}/a.service" in asked
    assert f"{units}/kumo-tsa-daemon.service" not in asked
