"""What is rendered, on a booted host: real systemd, Nginx, unbound, nftables; kumod's stand-ins."""

import base64
import contextlib
import io
import json
import os
import random
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from policy.errors import UserError
from policy.release import Release, ReleaseFile
from policy.render.environment import environment_file
from policy.render.example import example_addresses
from sandbox import image, system
from sandbox.layout import Layout
from sandbox.process import run, wait_until
from tests.examples import LARGE, mta_of, proxy_of, settings_of
from tests.policy.render.systemd_environment import parse

pytestmark = pytest.mark.host

CAPABILITIES = "SYS_ADMIN,NET_ADMIN,NET_RAW,MKNOD,AUDIT_WRITE,SYS_CHROOT"
KUMOD = "#!/bin/sh\nexec sleep infinity\n"
KUMOD_UNIT = "[Service]\nExecStart=/opt/kumomta/sbin/kumod\nRestart=always\n"
PROXY = """#!/usr/bin/python3
import os, socket, sys
host, port = os.environ["KUMOPROXY_LISTEN"].split(":")
listener = socket.create_server((host, int(port)))
sessions = []
while True:
    sessions.append(listener.accept())
"""


@dataclass(frozen=True)
class Booted:
    """A container that runs systemd, without any network but what a test makes in it."""

    name: str

    def sh(self, script: str, *, stdin: str = "", check: bool = True) -> str:
        command = ["podman", "exec", "--interactive", self.name, "sh", "-euc", script]
        return run(command, stdin=stdin, check=check).stdout

    def write(self, *files: ReleaseFile) -> None:
        """All at once, with modes and owners."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for file in files:
                entry = tarfile.TarInfo(file.path.lstrip("/"))
                entry.size, entry.mode = len(file.content), file.mode
                entry.uname, entry.gname = file.owner, file.group
                archive.addfile(entry, io.BytesIO(file.content))
        encoded = base64.b64encode(stream.getvalue()).decode()
        self.sh("base64 -d | tar --extract --directory=/ --preserve-permissions", stdin=encoded)

    def install(self, release: Release) -> None:
        self.write(*release.files)
        directories = "".join(
            f"install -d -m {d.mode:o} -o {d.owner} -g {d.group} {d.path}\n"
            for d in release.directories
        )
        self.sh(f"{directories}systemctl daemon-reload")

    def active(self, *units: str) -> list[str]:
        return self.sh(f"systemctl is-active {' '.join(units)}", check=False).split()


def program(path: str, text: str, *, mode: int = 0o755) -> ReleaseFile:
    return ReleaseFile(path=path, content=text.encode(), mode=mode)


@contextlib.contextmanager
def booted(role: str) -> Iterator[Booted]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if missing := system.missing_packages():
        pytest.skip(f"needs packages: {' '.join(missing)}")
    name = f"ping8-render-{role}-{os.getpid()}"
    limits = ("--ulimit=nofile=10000:10000", "--ulimit=nproc=10000:10000")
    options = ("--systemd=always", "--network=none", "--security-opt=apparmor=unconfined")
    capabilities = f"--cap-add={CAPABILITIES}"
    chosen = image.ensure_image(Layout.of_checkout().cache)
    command = ["podman", "--runtime=runc", "run", "--detach", f"--name={name}"]
    try:
        run([*command, *limits, *options, capabilities, chosen, "/sbin/init"])
        host = Booted(name)

        def ready() -> bool:
            state = host.sh("systemctl is-system-running", check=False).strip()
            return state in {"running", "degraded"}

        wait_until(ready, f"{name} to boot", seconds=180)
        yield host
    finally:
        run(["podman", "rm", "--force", "--time=0", "--ignore", name])


@pytest.fixture(scope="module")
def mta() -> Iterator[Booted]:
    with booted("mta") as host:
        host.sh("useradd --system --user-group kumod; mkdir -p /var/spool/kumomta /var/log/kumomta")
        host.write(
            program("/opt/kumomta/sbin/kumod", KUMOD),
            program("/lib/systemd/system/kumomta.service", KUMOD_UNIT, mode=0o644),
        )
        host.install(mta_of(LARGE, certificate={"kind": "self-signed"}))
        yield host


@pytest.fixture(scope="module")
def proxy() -> Iterator[Booted]:
    with booted("proxy") as host:
        addresses = example_addresses(settings_of(LARGE))
        host.sh(
            "useradd --system --user-group kumoproxy; ip link add ens5 type veth peer name other; "
            f"ip address add {addresses.proxies['proxy-1'].private}/24 dev ens5; "
            "ip link set ens5 up; ip link set other up; ip route add default dev ens5"
        )
        host.write(program("/opt/kumomta/sbin/proxy-server", PROXY))
        host.install(proxy_of(LARGE))
        yield host


def test_kumod_does_not_start_without_its_volumes_and_starts_with_them(mta: Booted) -> None:
    mta.sh("systemctl start kumomta", check=False)
    assert mta.active("kumomta") == ["inactive"]
    mta.sh("for path in spool log; do mount -t tmpfs none /var/$path/kumomta; done")
    mta.sh("install -d -o kumod -g kumod /var/spool/kumomta/ping8")
    mta.sh("systemctl start kumomta ping8-outbox")
    assert mta.active("kumomta", "ping8-outbox") == ["active", "active"]


def test_names_go_through_unbound_on_the_host(mta: Booted) -> None:
    mta.sh("systemctl stop unbound; echo nameserver 192.0.2.53 >/etc/resolv.conf")
    for _ in range(2):
        mta.sh("systemctl restart unbound")
        assert "nameserver 127.0.0.1\n" in mta.sh("cat /etc/resolv.conf")
        written = mta.sh("cat /etc/unbound/unbound.conf.d/ping8.conf")
        assert "forward-addr: 192.0.2.53" in written


def test_nginx_starts_with_a_self_signed_certificate_and_logs_to_the_journal(mta: Booted) -> None:
    mta.sh("systemctl restart nginx")
    ask = "curl --silent --insecure --output /dev/null --write-out '%{http_code}'"
    assert mta.sh(f"{ask} -X POST https://127.0.0.1/api/inject/v1") == "401"
    wait_until(
        lambda: '"status":401' in mta.sh("journalctl --identifier=nginx --output=cat"),
        "the line in the journal",
        seconds=20,
    )
    assert mta.sh("ss -Hltn 'sport = :80'") == ""


def test_the_other_units_of_the_mta_host_do_their_work(mta: Booted) -> None:
    units = "ping8-logs-prune.timer systemd-journald systemd-sysctl chrony"
    mta.sh(f"systemctl restart {units}")
    assert mta.sh("systemctl --failed --no-legend --plain") == ""


@pytest.mark.parametrize("seed", range(3))
def test_systemd_itself_reads_every_value_unharmed(mta: Booted, seed: int) -> None:
    """And the stand-in that the quick tests use reads whatever stands there as systemd does."""
    chance = random.Random(seed)
    alphabet = "\"'\\$`%;# =ab{}()<>&|*?!~^éü✉\U0001f4e7\u0085\u00a0\u2028\ufeff\ue000\t"
    values = {}
    for number in range(300):
        value = "".join(chance.choice(alphabet) for _ in range(chance.randint(0, 12)))
        with contextlib.suppress(UserError):
            environment_file({"V": value})
            values[f"V{number}"] = value
    assert read_by_systemd(mta, environment_file(values)) == values
    raw = "".join(
        f"V{number}={''.join(chance.choice(alphabet + chr(10)) for _ in range(8))}\n"
        for number in range(100)
    ).encode()
    expected = {name: value for name, value in parse(raw).items() if name.isalnum()}
    assert read_by_systemd(mta, raw) == {
        name: value for name, value in expected.items() if name.startswith("V")
    }


def read_by_systemd(host: Booted, content: bytes) -> dict[str, str]:
    show = (
        "import json, os; print(json.dumps({name.decode(): value.decode() "
        'for name, value in os.environb.items() if name.startswith(b"V")}))'
    )
    host.write(
        ReleaseFile(path="/run/variables", content=content, mode=0o600),
        program("/run/show.py", show),
    )
    unit = "systemd-run --quiet --wait --pipe --collect --property=EnvironmentFile=/run/variables"
    return dict(json.loads(host.sh(f"{unit} python3 /run/show.py")))


def test_the_proxys_addresses_are_put_there_and_put_back(proxy: Booted) -> None:
    secondary = example_addresses(settings_of(LARGE)).sources["shop-1"].private
    proxy.sh("systemctl start ping8-addresses")
    assert f"{secondary}/32" in proxy.sh("ip -4 address show dev ens5")
    proxy.sh(f"ip address delete {secondary}/32 dev ens5; systemctl start ping8-addresses")
    assert f"{secondary}/32" in proxy.sh("ip -4 address show dev ens5")


def test_the_proxy_runs_without_any_privilege(proxy: Booted) -> None:
    proxy.sh("systemctl restart kumoproxy")
    status = proxy.sh("cat /proc/$(systemctl show --value -p MainPID kumoproxy)/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split()[0] == proxy.sh("id -u kumoproxy").strip()
    assert int(fields["CapBnd"], 16) == int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"


def test_a_restart_of_the_proxy_waits_for_the_running_session(proxy: Booted) -> None:
    address = example_addresses(settings_of(LARGE)).proxies["proxy-1"].private
    proxy.sh("systemctl restart kumoproxy")
    proxy.write(program("/run/restart.py", RESTART.replace("ADDRESS", address)))
    assert proxy.sh("python3 /run/restart.py").splitlines() == [
        "refused while a session runs",
        "stopping waits",
        "restarted",
        "takes connections again",
    ]
    assert proxy.sh("nft list ruleset").strip() == ""


RESTART = """
import socket, subprocess, sys

def connect():
    return socket.create_connection(("ADDRESS", 5000), 5)

def until(good):
    while not good():
        pass

def refused():
    try:
        connect().close()
    except ConnectionRefusedError:
        return True
    return False

session = connect()
restart = subprocess.Popen(["systemctl", "restart", "kumoproxy"])
until(refused)
print("refused while a session runs")
if restart.poll() is None:
    print("stopping waits")
session.close()
restart.wait(60)
print("restarted")
until(lambda: not refused())
print("takes connections again")
"""
