import json
import shutil
import subprocess
from pathlib import Path

import pytest

from policy.render import render_mta
from policy.render.example import example_addresses, throw_away_secrets
from tests.examples import LARGE, SMALL, mta_of, proxy_of, settings_of, text_of

DKIM = "/opt/kumomta/etc/dkim"


def test_both_published_selectors_have_their_key_on_the_host_for_kumod_alone() -> None:
    release = mta_of(LARGE)
    keys = {file.path: file for file in release.files if file.path.startswith(f"{DKIM}/")}
    assert set(keys) == {
        f"{DKIM}/example.com/s1.key",
        f"{DKIM}/example.com/s2.key",
        *(f"{DKIM}/shop.example/{name}.key" for name in ("s1", "s2", "s1-ed", "s2-ed")),
    }
    for file in keys.values():
        assert (file.mode, file.owner, file.group, file.secret) == (0o400, "kumod", "kumod", True)
        assert file.effects == ()


def test_the_policy_and_the_keys_switch_as_a_whole() -> None:
    assert mta_of(SMALL).linked_directories == ("/opt/kumomta/etc/policy", DKIM)


def test_another_sender_domain_restarts_nothing() -> None:
    domains = [{"name": "example.com"}, {"name": "example.net"}]
    before = {file.path: file for file in mta_of(SMALL).files}
    after = {file.path: file for file in mta_of(SMALL, domains=domains).files}
    changed = [path for path in after if before.get(path) != after[path]]
    assert changed
    assert not [effect for path in changed for effect in after[path].effects]


def test_volumes_are_mounted_where_kumod_writes_and_belong_to_it() -> None:
    release = mta_of(SMALL)
    assert {(mount.volume, mount.path) for mount in release.mounts} == {
        ("spool", "/var/spool/kumomta"),
        ("logs", "/var/log/kumomta"),
    }
    owned = {item.path: (item.mode, item.owner, item.group) for item in release.directories}
    for path in ("/var/spool/kumomta/data", "/var/spool/kumomta/meta", "/var/log/kumomta"):
        assert owned[path] == (0o2770, "kumod", "kumod")


def test_log_pruning_follows_the_settings() -> None:
    release = mta_of(SMALL, logs={"keep": "10d", "keepGib": 7})
    text = text_of(release, "/etc/systemd/system/ping8-logs-prune.service")
    assert "--keep-seconds 864000 --keep-gib 7" in text
    journal = text_of(release, "/etc/systemd/journald.conf.d/ping8.conf")
    assert "MaxRetentionSec=864000s" in journal


def test_every_secret_file_says_so() -> None:
    """What a report may show of a file depends on it."""
    for release in (mta_of(LARGE), proxy_of(LARGE)):
        told = [file.path for file in release.files if b"stand-in" in file.content]
        secret = [file.path for file in release.files if file.secret]
        assert set(told) - {"/etc/ping8/tls/fullchain.pem"} == set(secret)
        assert all(file.mode & 0o077 == 0 for file in release.files if file.secret)


def test_many_sender_domains_share_one_throw_away_key_so_that_rendering_stays_quick() -> None:
    settings = settings_of(SMALL, domains=[{"name": f"d{n}.example"} for n in range(2000)])
    secrets = throw_away_secrets(settings)
    release = render_mta(settings, "mta-1", example_addresses(settings), secrets)
    assert len(set(secrets.dkim_keys.values())) == 1
    assert sum(file.path.startswith(f"{DKIM}/") for file in release.files) == 4000


@pytest.mark.skipif(shutil.which("apt-config") is None, reason="no apt on this machine")
def test_apt_reads_security_origins_alone_and_keeps_kumomta_out(tmp_path: Path) -> None:
    distribution = tmp_path / "50unattended-upgrades"
    distribution.write_text(
        'Unattended-Upgrade::Allowed-Origins { "Ubuntu:jammy-updates"; };\n'
        'Unattended-Upgrade::Origins-Pattern { "origin=Debian"; };\n'
    )
    ours = tmp_path / "52ping8-upgrades"
    ours.write_text(text_of(mta_of(SMALL), "/etc/apt/apt.conf.d/52ping8-upgrades"))
    output = subprocess.run(
        ["apt-config", "dump", "Unattended-Upgrade"],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "APT_CONFIG": str(write_all(tmp_path))},
    ).stdout
    origins = [line for line in output.splitlines() if "Origins" in line and '""' not in line]
    assert origins
    assert all("security" in line for line in origins), origins
    assert '"^kumomta"' in output
    assert 'Automatic-Reboot "false"' in output


def write_all(folder: Path) -> Path:
    """Both files in the order in which apt reads them, as one."""
    combined = folder / "all"
    parts = [(folder / name).read_text() for name in ("50unattended-upgrades", "52ping8-upgrades")]
    combined.write_text('Dir::Etc::parts "/nonexistent";\n' + "\n".join(parts))
    return combined


def test_port_25_is_asked_for_its_banner_where_it_is_open() -> None:
    for raw, expected in ((SMALL, "127.0.0.1:25"), (SMALL | {"domains": []}, "")):
        release = mta_of(raw)
        banners = [check.target for check in release.checks if check.kind == "banner"]
        assert banners == ([expected] if expected else [])
        assert json.loads(text_of(release, "/etc/ping8/metrics.json"))["listener"] == expected
        assert any(check.kind == "socks5" for check in release.checks)


def test_another_agent_restarts_the_outbox() -> None:
    (agent,) = [file for file in mta_of(SMALL).files if file.path.endswith("/ping8-agent")]
    assert agent.effects == ("restart ping8-outbox.service",)


def test_background_units_ask_for_no_priority_that_a_low_one_may_not_have() -> None:
    units = [
        file.content.decode()
        for file in mta_of(LARGE).files
        if file.path.startswith("/etc/systemd/system/") and file.path.endswith(".service")
    ]
    assert any("\nNice=19\n" in unit for unit in units)
    for unit in units:
        # Under `nice -n 19` any other value, and a scheduler's policy, ends a unit with 201 or 214.
        assert "CPUSchedulingPolicy=" not in unit
        assert "\nNice=" not in unit.replace("\nNice=19\n", "\n")


def test_automation_is_a_unit_that_is_checked_and_starts_before_kumod() -> None:
    off, on = mta_of(SMALL), mta_of(SMALL, shaping={"automation": True})
    assert "tsa-daemon.service" not in off.units
    assert on.units.index("tsa-daemon.service") < on.units.index("kumomta.service")
    (check,) = set(on.checks) - set(off.checks)
    assert (check.kind, check.target) == ("answer", "http://127.0.0.1:8008/tsa/status")


def test_switching_automation_on_restarts_both_and_its_rules_restart_neither() -> None:
    automation = {"automation": True}
    rules = {"default": {"automation": [{"regex": "x", "action": "Suspend", "duration": "1h"}]}}
    off, on, more = (
        {file.path: file for file in mta_of(SMALL, shaping=chosen).files}
        for chosen in ({}, automation, automation | {"overrides": rules})
    )
    switched = {effect for path in on if off.get(path) != on[path] for effect in on[path].effects}
    assert switched == {"restart kumomta.service", "restart tsa-daemon.service"}
    changed = [path for path in more if on.get(path) != more[path]]
    assert changed == ["/opt/kumomta/etc/policy/data/shaping.toml"]
    assert more[changed[0]].effects == ()
