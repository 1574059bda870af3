"""Units and drop-ins, read by systemd itself."""

import re
import shutil
import subprocess
import tomllib
import uuid
from pathlib import Path

import pytest

from hostagent.system import units
from policy.contract import POLICY
from policy.release import Release
from tests.examples import LARGE, SMALL, mta_of, proxy_of, releases_of, settings_of, text_of

UNITS = "/etc/systemd/system/"
PACKAGED = {
    "kumomta": "/opt/kumomta/sbin/kumod",
    "nginx": "/usr/sbin/nginx",
    "unbound": "/usr/sbin/unbound",
    "chrony": "/usr/sbin/chronyd",
}
PROGRAMS = [
    *PACKAGED.values(),
    "/opt/kumomta/sbin/proxy-server",
    "/opt/kumomta/sbin/tsa-daemon",
    "/usr/bin/install",
    "/usr/sbin/nft",
    "/usr/local/sbin/ping8-agent",
]
ALL = [
    pytest.param(mta_of(SMALL), id="mta"),
    pytest.param(mta_of(LARGE), id="mta with an outbox"),
    pytest.param(mta_of(SMALL, shaping={"automation": True}), id="mta with automation"),
    pytest.param(proxy_of(LARGE), id="proxy"),
]


def write_host(release: Release, root: Path) -> list[str]:
    """The release's files in a root of their own, with what packages bring; names of its units."""
    for file in release.files:
        path = root / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if file.mode == 0o755 else 0o644)
    for program in PROGRAMS:
        path = root / program.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)
        path.chmod(0o755)
    vendor = root / "lib/systemd/system"
    vendor.mkdir(parents=True, exist_ok=True)
    for target in Path("/lib/systemd/system").glob("*.target"):
        shutil.copy(target, vendor / target.name)
    for unit, program in PACKAGED.items():
        text = f"[Service]\nExecStart={program}\n"
        (vendor / f"{unit}.service").write_text(text)
    # One without content is masked, which `verify` takes for a fault.
    files = [file for file in release.files if file.path.startswith(UNITS) and file.content]
    own = [file.path[len(UNITS) :] for file in files]
    return [name.partition(".d/")[0] for name in own if not name.startswith("multi-user")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
@pytest.mark.parametrize("release", ALL)
def test_systemd_finds_nothing_to_say_about_the_units(release: Release, tmp_path: Path) -> None:
    units = write_host(release, tmp_path)
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", *units],
        check=False,
        capture_output=True,
        text=True,
    )
    assert units
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("release", ALL)
def test_a_release_brings_each_unit_that_it_names_or_a_package_does(release: Release) -> None:
    brought = {file.path[len(UNITS) :] for file in release.files if file.path.startswith(UNITS)}
    brought |= {f"{name}.service" for name in PACKAGED}
    asked = {effect.split()[1] for file in release.files for effect in file.effects}
    distribution = {"systemd-journald.service", "systemd-sysctl.service"}
    assert set(release.units) <= brought
    assert asked <= brought | distribution


@pytest.mark.parametrize("release", ALL)
def test_a_push_never_starts_the_unit_that_waits_for_its_lock(release: Release) -> None:
    """The boot unit is wanted by the target, and is neither enabled nor an effect."""
    text = text_of(release, f"{UNITS}ping8-finish.service")
    assert "[Install]" not in text
    assert "ping8-finish.service" not in release.units
    assert not any(
        "ping8-finish.service" in effect for file in release.files for effect in file.effects
    )
    assert "Wants=ping8-finish.service" in text_of(
        release, f"{UNITS}multi-user.target.d/ping8.conf"
    )


@pytest.mark.parametrize("release", ALL)
def test_a_killed_push_is_looked_for_every_two_minutes(release: Release) -> None:
    text = text_of(release, f"{UNITS}ping8-finish.timer")
    assert "OnActiveSec=2min" in text
    assert "OnUnitInactiveSec=2min" in text
    assert "ping8-finish.timer" in release.units


def test_a_push_waits_longer_than_kumod_may_take_to_stop() -> None:
    text = text_of(mta_of(SMALL), f"{UNITS}kumomta.service.d/ping8.conf")
    (limit,) = re.findall(r"^TimeoutStopSec=(\d+)s$", text, re.MULTILINE)
    shaping = text_of(mta_of(SMALL), f"{POLICY}/data/shaping.toml")
    default = tomllib.loads(shaping)["default"]
    assert int(default["system_shutdown_timeout"][:-1]) < int(limit) < units._START


@pytest.mark.parametrize("drop_in", ["kumomta", "nginx"])
def test_what_strangers_talk_to_reaches_no_credentials(drop_in: str) -> None:
    text = text_of(mta_of(SMALL), f"{UNITS}{drop_in}.service.d/ping8.conf")
    assert "IPAddressDeny=169.254.169.254" in text


@pytest.mark.parametrize("release", ALL)
def test_no_unit_that_holds_secrets_dumps_core(release: Release) -> None:
    """With 0 a program that the kernel hands core dumps to (apport) still gets one."""
    without = {
        "chrony.service.d/ping8.conf",
        "unbound.service.d/ping8.conf",
        "ping8-addresses.service",
        "ping8-firewall.service",
        "ping8-logs-prune.service",
    }
    services = {
        file.path[len(UNITS) :]: file.content.decode()
        for file in release.files
        if file.path.startswith(UNITS) and b"[Service]" in file.content
    }
    assert {name for name, text in services.items() if "LimitCORE=1\n" not in text} <= without


def test_kumod_runs_as_its_user_with_port_25_as_its_one_privilege() -> None:
    text = text_of(mta_of(SMALL), f"{UNITS}kumomta.service.d/ping8.conf")
    for line in (
        "User=kumod",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ReadWritePaths=/var/spool/kumomta /var/log/kumomta",
    ):
        assert f"\n{line}\n" in text


def test_kumod_starts_on_its_volumes_or_not_at_all() -> None:
    release = mta_of(SMALL)
    text = text_of(release, f"{UNITS}kumomta.service.d/ping8.conf")
    for mount in release.mounts:
        assert f"AssertPathIsMountPoint={mount.path}" in text
        assert mount.path in next(
            line for line in text.splitlines() if line.startswith("RequiresMountsFor=")
        )
    assert "MemoryMax=" not in text


def test_kumod_gets_the_contracts_environment_file() -> None:
    text = text_of(mta_of(SMALL), f"{UNITS}kumomta.service.d/ping8.conf")
    assert "EnvironmentFile=/etc/default/kumomta" in text


@pytest.mark.parametrize("release", ALL)
def test_every_program_of_kumomta_can_write_its_node_id(release: Release) -> None:
    """One that cannot panics at start; each has a file of its own."""
    node_ids = []
    for file in release.files:
        text = file.content.decode() if file.path.startswith(UNITS) else ""
        if "ExecStart=/opt/kumomta/sbin/" in text:
            (folder,) = re.findall("^StateDirectory=(.+)$", text, re.M)
            (node_id,) = re.findall("^Environment=KUMO_NODE_ID_PATH=(.+)$", text, re.M)
            assert node_id == f"/var/lib/{folder}/nodeid"
            node_ids.append(node_id)
    expected = {"kumoproxy.service", "tsa-daemon.service"} & {*release.units}
    assert len(node_ids) == len(expected)


def test_each_node_has_an_id_of_its_own_that_follows_from_its_name() -> None:
    settings = settings_of(SMALL, mta={"nodes": 2}, elasticIpQuota=9)
    ids = []
    for host, release in zip(settings.mta.host_names, releases_of(settings), strict=False):
        text = text_of(release, f"{UNITS}kumomta.service.d/ping8.conf")
        (found,) = re.findall("^Environment=KUMO_NODE_ID=(.+)$", text, re.M)
        assert str(uuid.UUID(found)) == found == settings.node_id(host)
        ids.append(found)
    assert len(set(ids)) == 2


def test_only_several_nodes_say_whose_hardware_address_is_in_their_messages_ids() -> None:
    path = f"{UNITS}kumomta.service.d/ping8-nodes.conf"
    assert path not in {file.path for file in mta_of(SMALL).files}
    settings = settings_of(SMALL, mta={"nodes": 2}, elasticIpQuota=9)
    release = releases_of(settings)[0]
    unit = text_of(release, path)
    (written,) = re.findall("^EnvironmentFile=-(.+)$", unit, re.M)
    (script,) = re.findall("^ExecStartPre=(.+)$", unit, re.M)
    (folder,) = re.findall("^RuntimeDirectory=(.+)$", unit, re.M)
    assert written == f"/run/{folder}/interface"
    assert f'"KUMO_MAC_INTERFACE=$device" > {written}' in text_of(release, script)


@pytest.mark.parametrize(
    ("release", "unit", "user"),
    [
        (proxy_of(SMALL), "kumoproxy", "kumoproxy"),
        (mta_of(SMALL, shaping={"automation": True}), "tsa-daemon", "tsa-daemon"),
    ],
    ids=["proxy", "automation"],
)
def test_a_program_beside_kumod_runs_as_nobody_special_and_never_sees_the_metadata_address(
    release: Release, unit: str, user: str
) -> None:
    text = text_of(release, f"{UNITS}{unit}.service")
    for line in (
        f"User={user}",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "IPAddressDeny=169.254.169.254",
    ):
        assert line in text.splitlines()
    assert release.users == (user,)
