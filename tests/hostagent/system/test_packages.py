"""Packages: what is missing, the pinned KumoMTA, and the way back to the old one."""

from dataclasses import replace
from pathlib import Path

import pytest

from hostagent.commands import Result
from hostagent.errors import AgentError
from hostagent.push.rollback import rollback
from hostagent.system.packages import matches
from policy.release import Release
from tests.hostagent.world import World, release

OLD, NEW = "2026.09.29-b90d8bc1", "2026.10.06-0a1b2c3d"


INSTALL = "install --allow-change-held-packages --allow-downgrades"


def archive(apt: World, version: str) -> Path:
    """Where apt-get puts the package's file."""
    return apt.root / f"var/cache/apt/archives/kumomta_{version}_amd64.deb"


def pinned(version: str) -> Release:
    return replace(release(), kumomta_version=version)


@pytest.fixture
def apt(world: World) -> World:
    """Package sources with both versions; installing changes what is installed."""
    play = world.play
    rows = "\n".join(f"kumomta | {version} | https://example" for version in (NEW, OLD))
    run = play.run

    def answer(arguments: list[str], **more: object) -> Result:
        result = run(arguments, **more)  # type: ignore[arg-type]
        if arguments[0] == "apt-cache":
            return Result(0, rows)
        if arguments[0] == "apt-get" and "install" in arguments and result.good:
            for word in arguments:
                name, _, version = word.partition("=")
                if word.endswith(".deb"):  # a file that is there, whatever the sources have
                    assert Path(word).exists()
                    play.packages["kumomta"] = Path(word).name.split("_")[1]
                if name == "kumomta" and "--download-only" not in arguments:
                    play.packages["kumomta"] = version
                elif name == "kumomta":
                    folder = world.root / "var/cache/apt/archives"
                    folder.mkdir(parents=True, exist_ok=True)
                    (folder / f"kumomta_{version}_amd64.deb").touch()
        return result

    play.run = answer  # type: ignore[method-assign,assignment]
    return world


def test_a_release_matches_its_build_and_no_other() -> None:
    assert matches("2026.09.29.121212.b90d8bc1-1", OLD)
    assert not matches("2026.09.30-b90d8bc1", OLD)


def test_a_push_names_the_known_faults_of_an_old_version(world: World) -> None:
    world.play.packages["kumomta"] = "2026.09.22-a276d4a8"
    report = world.push(pinned("2026.09.22-a276d4a8"))
    assert any(
        "2026.09.22-a276d4a8: a recipient's domain can stop" in w for w in report["warnings"]
    )
    assert not any("spool write" in warning for warning in report["warnings"])


def test_a_kumod_that_does_not_say_its_version_vetoes_no_push(world: World) -> None:
    def hang() -> None:
        raise AgentError("`kumod --version` took longer than 10 s", "find out why")

    kumod = world.root / "opt/kumomta/sbin/kumod"
    kumod.parent.mkdir(parents=True)
    kumod.touch()
    world.play.on["/opt/kumomta/sbin/kumod --version"] = hang
    report = world.push(release(kumomta_preinstalled=True))
    assert any("took longer than 10 s" in warning for warning in report["warnings"])


def test_another_version_is_validated_before_it_is_installed_and_kumod_restarts(
    apt: World,
) -> None:
    apt.push(pinned(OLD))
    apt.play.asked.clear()
    apt.push(pinned(NEW))
    assert apt.play.packages["kumomta"] == NEW
    texts = [" ".join(words) for words in apt.play.asked]
    validated = next(number for number, text in enumerate(texts) if "--validate" in text)
    installed = next(
        number
        for number, text in enumerate(texts)
        if text.endswith(f"kumomta_{NEW}_amd64.deb") and "apt-get" in text
    )
    assert validated < installed
    fetched = [text for text in texts[:validated] if "--download-only" in text]
    assert [text.rpartition("=")[2] for text in fetched] == [OLD, NEW]
    assert (
        f"{apt.root}/opt/ping8/kumomta/next/opt/kumomta/sbin:/opt/kumomta/sbin" in texts[validated]
    )
    assert apt.play.changes() == ["stop kumomta.service", "restart kumomta.service"]


def test_a_version_that_fails_makes_room_for_the_old_one_again(apt: World) -> None:
    apt.push(pinned(OLD))
    apt.play.once["systemctl restart kumomta.service"] = Result(1, "Job failed")
    with pytest.raises(AgentError, match="rolled back"):
        apt.push(pinned(NEW))
    assert apt.play.packages["kumomta"] == OLD
    assert apt.live() == pinned(OLD).id
    assert apt.play.state["kumomta.service"] == "active"


def test_a_source_that_drops_the_old_version_does_not_close_the_way_back(apt: World) -> None:
    apt.push(pinned(OLD))
    apt.play.on["systemctl restart kumomta.service"] = lambda: apt.play.refuse.update(
        {f"kumomta={OLD}": Result(100, "Version not found"), "apt-get update": Result(100, "404")}
    )
    apt.play.once["systemctl restart kumomta.service"] = Result(1, "Job failed")
    with pytest.raises(AgentError, match="rolled back"):
        apt.push(pinned(NEW))
    assert apt.play.packages["kumomta"] == OLD
    assert apt.play.state["kumomta.service"] == "active"


def test_an_old_version_that_is_nowhere_stops_the_upgrade_before_anything_stops(
    apt: World,
) -> None:
    apt.push(pinned(OLD))
    for path in (apt.root / "var/cache/apt/archives").glob("*.deb"):
        path.unlink()
    apt.play.refuse[f"kumomta={OLD}"] = Result(100, "Version not found")
    apt.play.asked.clear()
    with pytest.raises(AgentError, match="Version not found"):
        apt.push(pinned(NEW))
    assert apt.play.changes() == []
    assert apt.play.packages["kumomta"] == OLD


def test_a_rollback_by_hand_brings_the_old_version_back_too(apt: World) -> None:
    apt.push(pinned(OLD))
    apt.push(pinned(NEW))
    report = rollback(apt.host(), None)
    assert (report["release"], report["previous"]) == (pinned(OLD).id, pinned(NEW).id)
    assert apt.play.packages["kumomta"] == OLD
    assert apt.play.state["kumomta.service"] == "active"


def test_a_version_that_does_not_validate_is_never_installed(apt: World) -> None:
    apt.push(pinned(OLD))
    apt.play.asked.clear()
    apt.play.refuse["--validate"] = Result(1, "unknown field")
    with pytest.raises(AgentError, match="unknown field"):
        apt.push(pinned(NEW))
    assert apt.play.packages["kumomta"] == OLD
    assert apt.play.changes() == []


def test_an_installation_that_fails_leaves_the_old_version_running(apt: World) -> None:
    apt.push(pinned(OLD))
    apt.play.refuse[f"{INSTALL} {archive(apt, NEW)}"] = Result(100, "dpkg was interrupted")
    with pytest.raises(AgentError, match="dpkg was interrupted"):
        apt.push(pinned(NEW))
    assert apt.live() == pinned(OLD).id
    assert apt.play.state["kumomta.service"] == "active"
    assert not (apt.root / "usr/sbin/policy-rc.d").exists()


def test_an_installation_that_was_killed_is_finished_by_the_next(apt: World) -> None:
    """dpkg does nothing else until what was cut off is configured."""
    apt.push(pinned(OLD))
    part = f"{INSTALL} {archive(apt, NEW)}"
    apt.play.refuse[part] = Result(100, "dpkg was interrupted, run 'dpkg --configure -a'")
    apt.play.on["dpkg --configure"] = apt.play.refuse.clear
    apt.push(pinned(NEW))
    assert apt.play.packages["kumomta"] == NEW
    assert apt.live() == pinned(NEW).id


def test_a_version_that_the_sources_lack_is_refused_with_those_they_have(apt: World) -> None:
    apt.push(pinned(OLD))
    with pytest.raises(AgentError, match=f"no kumomta 2027.01.01-00000000; they have {NEW}, {OLD}"):
        apt.push(pinned("2027.01.01-00000000"))


def test_nothing_starts_because_it_was_installed(apt: World) -> None:
    seen: list[bool] = []
    policy = apt.root / "usr/sbin/policy-rc.d"
    apt.play.packages.clear()
    apt.play.on["apt-get"] = lambda: seen.append(policy.exists())
    apt.push(pinned(OLD))
    assert seen == [False, True]
    assert not policy.exists()
    assert apt.play.packages["kumomta"] == OLD
