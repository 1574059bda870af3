"""The agent on a real host: systemd, sshd, Nginx, a volume, and a fault at every step.

After each fault the live files are one release's and a retry succeeds.
"""

import json
import subprocess

import pytest

from policy.push import bundle_of, parse_report, push_command, push_input
from policy.release import Check, HostFacts, Release, ReleaseFile
from tests.hostagent.host.ground import NAME, POLICY, SPOOL, TOKEN, VOLUME, Ground, release

pytestmark = pytest.mark.host

OLD = release()
NEW = release(
    "-- new policy",
    environment="COLOUR=blue",
    note="new",
    files=(
        ReleaseFile(path="/etc/ping8/only-new.conf", content=b"new"),
        ReleaseFile(path="/opt/kumomta/etc/policy/new.lua", content=b"-- new"),
    ),
)
CAP_SYS_RESOURCE = 24
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
FILL = (
    "f = open('/opt/ping8/fill', 'wb', buffering=0)\n"
    "        try:\n"
    "            while True: f.write(bytes(4096))\n"
    "        except OSError: pass"
)


@pytest.fixture(autouse=True)
def old_is_live(ground: Ground) -> None:
    ground.push(OLD)
    assert ground.live() == OLD.id
    assert ground.torn(OLD, NEW) == ""


def test_a_first_push_made_a_whole_host(ground: Ground) -> None:
    assert ground.execute("systemctl", "is-active", "kumomta", "nginx") == "active\nactive"
    assert ground.execute("findmnt", "-no", "FSTYPE", SPOOL) == "ext4"
    assert ground.execute("stat", "-c", "%U:%G %a", SPOOL) == "kumod:kumod 2770"
    assert ground.execute("stat", "-Lc", "%U:%G %a", "/etc/default/kumomta") == "root:root 600"
    drift = json.loads(ground.execute("/usr/local/sbin/ping8-agent", "drift"))
    assert drift["differences"] == []


def test_the_same_release_again_touches_no_unit(ground: Ground) -> None:
    before = ground.started("kumomta"), ground.started("nginx")
    report = ground.push(OLD)
    assert report.changed == report.restarted == ()
    assert (ground.started("kumomta"), ground.started("nginx")) == before


def test_new_policy_restarts_nothing_and_a_new_environment_restarts_kumod_alone(
    ground: Ground,
) -> None:
    before = ground.started("kumomta"), ground.started("nginx")
    assert ground.push(release("-- other")).restarted == ()
    assert (ground.started("kumomta"), ground.started("nginx")) == before
    assert ground.push(release("-- other", environment="A=b")).restarted == (
        "restart kumomta.service",
    )
    assert ground.started("kumomta") != before[0]
    assert ground.started("nginx") == before[1]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (release("-- broken"), "`kumod --validate` refuses the release: init.lua:1: syntax error"),
        (release("-- needs NOTHING"), "missing NOTHING"),
        (release(note="\n    nonsense on;\n    #"), "`nginx -t` refuses the release"),
        (
            release(
                files=(
                    ReleaseFile(
                        path="/etc/systemd/system/bad.service",
                        content=b"[Service]\nExecStart=/nowhere/at/all\n",
                    ),
                )
            ),
            "`systemd-analyze verify` rejects",
        ),
    ],
)
def test_a_release_that_does_not_validate_changes_nothing(
    ground: Ground, bad: Release, reason: str
) -> None:
    before = ground.started("kumomta"), ground.started("nginx")
    done = ground.send(bad)
    assert done.returncode == 1
    assert reason in last_line(done)
    assert ground.live() == OLD.id
    assert ground.torn(OLD, bad) == ""
    assert (ground.started("kumomta"), ground.started("nginx")) == before
    retry(ground)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (release("-- crashes", environment="A=1"), "kumomta.service does not stay up"),
        (release("-- unwell", environment="A=2"), "answers 503 instead of 200"),
        (
            release(environment="A=4", checks=(Check(kind="socks5", target="127.0.0.1:5999"),)),
            "127.0.0.1:5999 does not greet",
        ),
    ],
)
def test_an_unhealthy_release_is_rolled_back_with_its_reason(
    ground: Ground, bad: Release, reason: str
) -> None:
    done = ground.send(bad)
    assert done.returncode == 1
    assert f"release {bad.id} was rolled back to {OLD.id}, which is healthy" in last_line(done)
    assert reason in last_line(done)
    assert "journal: " in done.stderr
    assert ground.torn(OLD, bad) == ""
    assert ground.execute("systemctl", "is-active", "kumomta", "nginx") == "active\nactive"
    retry(ground)


def test_words_in_the_journal_roll_nothing_back(ground: Ground) -> None:
    ground.push(release("-- complains", environment="A=3"))
    assert ground.live() == release("-- complains", environment="A=3").id


def test_a_damaged_bundle_is_refused(ground: Ground) -> None:
    done = ground.send(release("-- policy of another kind"), damage=True)
    assert done.returncode == 1
    assert "the bundle is corrupt" in last_line(done)
    assert ground.torn(OLD) == ""
    retry(ground)


def test_a_bundle_cut_off_on_the_way_is_refused(ground: Ground) -> None:
    done = ground.ssh(push_command("1m"), '{"agent": "AAAA')
    assert done.returncode == 1
    assert (
        last_line(done) == "ping8: the bundle arrived damaged, so nothing was changed; push again"
    )


def test_a_release_for_another_instance_is_refused(ground: Ground) -> None:
    done = ground.send(NEW, instance="i-0fedcba9876543210")
    assert f"this host is instance {NAME} and the release is for i-0fedcba9876543210" in last_line(
        done
    )
    assert ground.torn(OLD, NEW) == ""
    retry(ground)


def test_a_push_while_another_runs_waits_for_it(ground: Ground) -> None:
    # On a busy machine the push may come late: another one holds the lock until it is there.
    holds = "until pgrep -x timeout; do sleep 0.1; done; sleep 5"
    ground.execute("systemd-run", "--quiet", "flock", "/opt/ping8/lock", "sh", "-c", holds)
    done = ground.send(NEW)
    assert "waiting for another change to end" in done.stderr
    assert done.returncode == 0, done.stderr
    assert ground.torn(OLD, NEW) == ""


def test_a_package_that_cannot_be_installed_changes_nothing(ground: Ground) -> None:
    bad = release("-- new", packages=("nginx", "no-such-package"))
    done = ground.send(bad)
    assert done.returncode == 1
    assert "apt-get" in last_line(done)
    assert ground.torn(OLD, bad) == ""
    assert ground.shell("test -e /usr/sbin/policy-rc.d && echo left || true") == ""
    retry(ground)


def test_a_volume_with_somebodys_data_is_not_touched(ground: Ground) -> None:
    ground.containers.volumes.create("vol-0foreign000000000", gib=1)
    ground.containers.attach(NAME, "vol-0foreign000000000")
    device = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0foreign000000000"
    try:
        ground.shell(f"printf 'precious data' | dd of={device} bs=512 seek=8 conv=notrunc 2>&1")
        ground.execute("systemctl", "stop", "kumomta")
        ground.execute("umount", SPOOL)
        done = ground.send(NEW, volume="vol-0foreign000000000")
        assert "holds data that is not a known file system, so it was left unchanged" in last_line(
            done
        )
        assert "precious data" in ground.shell(
            f"dd if={device} bs=512 skip=8 count=1 2>/dev/null | tr -d '\\0'"
        )
        assert ground.execute("systemctl", "is-active", "kumomta", check=False) == "inactive"
    finally:
        ground.containers.detach(NAME, "vol-0foreign000000000")
        ground.containers.volumes.delete("vol-0foreign000000000")
    retry(ground)
    assert ground.execute("findmnt", "-no", "FSTYPE", SPOOL) == "ext4"


def test_another_volume_than_the_mounted_one_is_refused(ground: Ground) -> None:
    ground.containers.volumes.create("vol-0another000000000", gib=1)
    ground.containers.attach(NAME, "vol-0another000000000")
    try:
        done = ground.send(NEW, volume="vol-0another000000000")
        assert "another volume than vol-0another000000000 (spool) is mounted" in last_line(done)
    finally:
        ground.containers.detach(NAME, "vol-0another000000000")
        ground.containers.volumes.delete("vol-0another000000000")
    assert ground.torn(OLD, NEW) == ""


def test_a_file_system_grows_while_in_use_when_its_volume_did(ground: Ground) -> None:
    kib = int(ground.shell(f"df --output=size -k {SPOOL} | tail -1"))
    process = ground.execute("systemctl", "show", "--property=MainPID", "kumomta")
    ground.containers.volumes.create(VOLUME, gib=2)
    done = ground.send(OLD, gib=2)
    assert done.returncode == 0, done.stderr
    (*warnings,) = parse_report(done.stdout).warnings
    capabilities = int(ground.shell("grep CapBnd /proc/self/status").split()[1], 16)
    if capabilities >> CAP_SYS_RESOURCE & 1:
        assert warnings == []
        assert int(ground.shell(f"df --output=size -k {SPOOL} | tail -1")) > 1.9 * kib
    else:
        # A container that may not resize: the host goes on, and says what to do by hand.
        (warning,) = warnings
        assert "does not grow" in warning
        assert "run `resize2fs /dev/loop" in warning
    assert ground.execute("systemctl", "show", "--property=MainPID", "kumomta") == process


def test_a_spool_of_an_instance_with_other_user_numbers_is_handed_over(ground: Ground) -> None:
    ground.shell(f"touch {SPOOL}/data/message; chown -R 4242:4242 {SPOOL}")
    ground.push(OLD, always=True)
    owners = ground.shell(f"stat -c %U:%G {SPOOL} {SPOOL}/data {SPOOL}/data/message").split()
    assert owners == ["kumod:kumod"] * 3


def test_kumod_never_starts_without_its_volume(ground: Ground) -> None:
    ground.execute("systemctl", "stop", "kumomta")
    ground.shell(
        f"umount {SPOOL}; rm /etc/systemd/system/var-spool-kumomta.mount; systemctl daemon-reload"
    )
    ground.execute("systemctl", "start", "kumomta", check=False)
    assert ground.execute("systemctl", "is-active", "kumomta", check=False) != "active"
    retry(ground)
    assert ground.execute("systemctl", "is-active", "kumomta") == "active"


# Every step is tried under a temporary root too; these are the ones that differ for systemd.
KILLED_AT = [
    "mounted", "staged", "linked", "adopted", "switched", "settled", "restart kumomta.service",
    "healthy",
]  # fmt: skip


@pytest.mark.parametrize("step", KILLED_AT)
def test_a_kill_leaves_one_release_live_and_a_retry_succeeds(ground: Ground, step: str) -> None:
    ground.push_until(NEW, step, act=KILL)
    assert ground.torn(OLD, NEW) == ""
    switched = KILLED_AT.index(step) >= KILLED_AT.index("switched")
    assert ground.live() == (NEW.id if switched else OLD.id)
    retry(ground)


@pytest.mark.parametrize("step", ["adopted", "switched", "restart kumomta.service"])
def test_a_reboot_finishes_or_takes_back_what_was_cut_off(ground: Ground, step: str) -> None:
    ground.push_until(NEW, step, act=KILL)
    ground.containers.kill(NAME)
    ground.containers.start(NAME)
    ground.wait_boot()
    ground.shell(
        "while systemctl is-active ping8-finish | grep -q activating; do sleep 0.2; done",
        check=False,
    )
    assert ground.torn(OLD, NEW) == ""
    assert ground.live() == (OLD.id if step == "adopted" else NEW.id)
    assert ground.execute("systemctl", "is-active", "kumomta", "nginx") == "active\nactive"
    status = json.loads(ground.execute("/usr/local/sbin/ping8-agent", "status"))
    assert status["pending"] is None
    retry(ground)


@pytest.mark.parametrize("step", ["recovered", "staged", "linked", "switched"])
def test_a_full_disk_leaves_one_release_live_and_a_retry_succeeds(
    ground: Ground, step: str
) -> None:
    ground.shell(
        "rm -rf /small; mkdir /small; mount -t tmpfs -o size=8m tmpfs /small;"
        "cp -a /opt/ping8/. /small/; mount --bind /small /opt/ping8"
    )
    try:
        said = ground.push_until(NEW, step, act=FILL)
        assert ground.torn(OLD, NEW) == "", said
        ground.execute("rm", "-f", "/opt/ping8/fill")
        retry(ground)
    finally:
        ground.shell(
            "cp -a /opt/ping8 /opt/ping8.kept; umount /opt/ping8 /small;"
            "rm -rf /opt/ping8; mv /opt/ping8.kept /opt/ping8"
        )


def test_a_lost_connection_does_not_stop_a_push_half_way(ground: Ground) -> None:
    facts = HostFacts(name="mta", instance_id=NAME, volumes=(("spool", VOLUME),))
    client = subprocess.Popen(
        ground.client(push_command("1m")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert client.stdin is not None
    assert client.stderr is not None
    client.stdin.write(push_input(bundle_of(NEW, facts)))
    client.stdin.close()
    while "staged" not in client.stderr.readline():
        pass
    client.kill()
    client.wait()
    # Whoever has the lock next sees the end of it.
    ground.execute("flock", "--timeout", "60", "/opt/ping8/lock", "true")
    assert ground.live() == NEW.id
    assert ground.torn(OLD, NEW) == ""
    retry(ground)


def test_a_time_limit_that_is_over_goes_back(ground: Ground) -> None:
    bad = release("-- unwell", environment="A=5")
    done = ground.send(bad, limit="20s", patience=90)
    assert done.returncode != 0
    assert "the time limit has passed and http://127.0.0.1:8000" in last_line(done)
    assert ground.live() == OLD.id
    assert ground.torn(OLD, bad) == ""
    retry(ground)


def test_a_drifted_host_is_reported_and_repaired_on_request(ground: Ground) -> None:
    ground.shell(
        f"sed -i 's/policy/drifted/' {POLICY};"
        "sed -i 's/#/# drifted/' /etc/nginx/sites-enabled/ping8.conf;"
        "chmod 644 /opt/ping8/current/root/etc/default/kumomta; systemctl disable --now nginx"
    )
    drift = json.loads(ground.execute("/usr/local/sbin/ping8-agent", "drift"))
    assert {(item["what"], item["kind"]) for item in drift["differences"]} == {
        (POLICY, "file"),
        ("/etc/nginx/sites-enabled/ping8.conf", "link"),
        ("/etc/default/kumomta", "file"),
        ("nginx.service", "unit"),
    }
    report = ground.push(OLD, always=True)
    assert set(report.repaired) == {
        POLICY, "/etc/nginx/sites-enabled/ping8.conf", "/etc/default/kumomta",
    }  # fmt: skip
    assert ground.torn(OLD) == ""
    again = json.loads(ground.execute("/usr/local/sbin/ping8-agent", "drift"))
    assert again["differences"] == []
    assert "drifted" in ground.shell(
        "cat /opt/ping8/backup/*-drift/stored/opt/kumomta/etc/policy/init.lua"
    )


def test_a_rollback_by_hand_goes_to_the_release_before(ground: Ground) -> None:
    ground.push(NEW)
    back = ("/usr/local/sbin/ping8-agent", "rollback", "--old-credentials")
    report = json.loads(ground.execute(*back))
    assert (report["previous"], report["release"]) == (NEW.id, OLD.id)
    assert ground.torn(OLD, NEW) == ""
    report = json.loads(ground.execute(*back, "--to", NEW.id[:6]))
    assert report["release"] == NEW.id
    assert ground.torn(OLD, NEW) == ""


def test_no_secret_shows_in_what_a_failing_push_says(ground: Ground) -> None:
    bad = release("-- prints-token -- unwell", environment="A=6")
    done = ground.send(bad)
    assert done.returncode == 1
    assert "the token is [secret]" in done.stderr
    assert TOKEN not in done.stderr + done.stdout


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    return done.stderr.strip().splitlines()[-1]


def retry(ground: Ground) -> None:
    ground.push(NEW)
    assert ground.live() == NEW.id
    assert ground.torn(OLD, NEW) == ""
