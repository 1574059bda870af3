"""A real host in a container, with a stand-in kumod, for pushes through its real sshd."""

import hashlib
import json
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from policy.agent_bundle import agent_zipapp
from policy.push import PushReport, bundle_of, parse_report, push_command, push_input
from policy.release import (
    Check,
    Directory,
    HostFacts,
    Mount,
    Release,
    ReleaseFile,
)
from sandbox.containers import Containers, Host
from sandbox.process import run
from standins.pulumi.hosts import Interface

NAME = "i-0123456789abcdef0"
VOLUME = "vol-0123456789abcdef0"
SPOOL = "/var/spool/kumomta"
TOKEN = "sEcReT0123456789abcdefghijklmnopqrstuvwxyzA"
POLICY = "/opt/kumomta/etc/policy/init.lua"
ENVIRONMENT = "/etc/default/kumomta"
SITE = "/etc/nginx/sites-enabled/ping8.conf"
TREE = Path(__file__).with_name("tree")
INTERFACE = Interface(
    name="eni-agent", address="10.80.1.20", prefix=24, groups=frozenset({"everything"})
)

_UNIT = """\
[Unit]
Description=KumoMTA (stand-in)
[Service]
ExecStart=/opt/kumomta/sbin/kumod --policy /opt/kumomta/etc/policy/init.lua --user kumod
Restart=always
RestartSec=1s
[Install]
WantedBy=multi-user.target
"""
_DROP_IN = """\
[Unit]
RequiresMountsFor=/var/spool/kumomta
AssertPathIsMountPoint=/var/spool/kumomta
StartLimitIntervalSec=0
[Service]
EnvironmentFile=/etc/default/kumomta
"""
_FINISH = """\
[Unit]
Description=Finish an interrupted push
After=kumomta.service nginx.service
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/ping8-agent finish
"""
_WANTS = "[Unit]\nWants=ping8-finish.service\n"
_SITE = """\
map $http_authorization $ping8_token {{
    default "";
    "~^Bearer {token}$" ok;
}}
server {{
    # {note}
    listen 127.0.0.1:443 ssl;
    ssl_certificate /etc/ping8/tls/fullchain.pem;
    ssl_certificate_key /etc/ping8/tls/privkey.pem;
    location = /api/inject/v1 {{
        if ($ping8_token = "") {{ return 401; }}
        proxy_set_header Authorization "";
        proxy_pass http://127.0.0.1:8000;
    }}
}}
"""
_CERTIFICATE = """\
#!/bin/sh
set -eu
[ -s /etc/ping8/tls/fullchain.pem ] && exit 0
mkdir -p /etc/ping8/tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=mta \
    -keyout /etc/ping8/tls/privkey.pem -out /etc/ping8/tls/fullchain.pem 2>/dev/null
"""
RESTART, RELOAD = ("restart kumomta.service",), ("reload nginx.service",)


def release(
    policy: str = "-- policy",
    *,
    environment: str = "",
    note: str = "",
    files: Sequence[ReleaseFile] = (),
    packages: tuple[str, ...] = ("nginx",),
    checks: tuple[Check, ...] = (),
) -> Release:
    """A release of a small MTA host."""
    system = "/etc/systemd/system"
    token = "/etc/nginx/ping8/authorization"
    every = [
        _file(POLICY, policy),
        _file("/opt/kumomta/etc/policy/data/egress.json", "{}"),
        _file(
            ENVIRONMENT,
            f"PING8_WEBHOOK_TOKEN={TOKEN}\n{environment}\n",
            mode=0o600,
            secret=True,
            effects=RESTART,
        ),
        _file(f"{system}/kumomta.service.d/ping8.conf", _DROP_IN, effects=RESTART),
        _file(f"{system}/ping8-finish.service", _FINISH),
        _file(f"{system}/multi-user.target.d/ping8.conf", _WANTS),
        _file("/etc/nginx/sites-enabled/default", "# none\n", effects=RELOAD),
        _file(SITE, _SITE.format(token=TOKEN, note=note), mode=0o600, effects=RELOAD),
        _file(token, f"Bearer {TOKEN}\n", mode=0o600, secret=True),
        _file("/usr/local/lib/ping8/certificate", _CERTIFICATE, mode=0o755),
        ReleaseFile(path="/usr/local/sbin/ping8-agent", content=agent_zipapp(), mode=0o755),
        *files,
    ]
    return Release(
        host="mta",
        role="mta",
        files=tuple({file.path: file for file in every}.values()),
        digest_key="key",
        kumomta_version="2026.09.29-b90d8bc1",
        kumomta_preinstalled=True,
        linked_directories=("/opt/kumomta/etc/policy",),
        directories=(
            Directory(path=SPOOL, mode=0o2770, owner="kumod", group="kumod"),
            Directory(path=f"{SPOOL}/data", mode=0o2770, owner="kumod", group="kumod"),
        ),
        mounts=(Mount(volume="spool", path=SPOOL),),
        packages=packages,
        units=("kumomta.service", "nginx.service"),
        checks=(
            Check(kind="liveness", target="http://127.0.0.1:8000/api/check-liveness/v1"),
            Check(kind="injection", target="https://127.0.0.1/api/inject/v1", token_file=token),
            *checks,
        ),
    )


def _file(path: str, content: str, **more: object) -> ReleaseFile:
    return replace(ReleaseFile(path=path, content=content.encode()), **more)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The host, and how to reach it."""

    containers: Containers
    key: Path
    known_hosts: Path

    def execute(self, *command: str, check: bool = True, stdin: str = "") -> str:
        """Run a command on the host as root; its standard output."""
        return self.run(*command, check=check, stdin=stdin).stdout.strip()

    def run(
        self, *command: str, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the host as root, quicker than podman does."""
        container = f"{self.containers.cloud.prefix}-{NAME}"
        pid = run(["podman", "inspect", "--format", "{{.State.Pid}}", container]).stdout.strip()
        inside = ["nsenter", f"--target={pid}", "--all", "--wd=/", "--"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            [*inside, "env", path, *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def shell(self, script: str, *, check: bool = True) -> str:
        """Run a script on the host as root."""
        return self.execute("sh", "-ec", script, check=check)

    def ssh(self, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """One SSH connection, as Pulumi makes it."""
        return subprocess.run(
            self.client(command),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def client(self, command: str) -> tuple[str, ...]:
        """The OpenSSH client that runs a command on the host."""
        cloud = self.containers.cloud
        options = [
            "-F/dev/null",
            f"-i{self.key}",
            "-oBatchMode=yes",
            "-oStrictHostKeyChecking=yes",
            f"-oUserKnownHostsFile={self.known_hosts}",
            "-oLogLevel=ERROR",
        ]
        login = f"ping8@{INTERFACE.address}"
        return cloud.inside(cloud.namespace(INTERFACE.name), "ssh", *options, login, command)

    def send(
        self,
        pushed: Release,
        *,
        instance: str = NAME,
        volume: str = VOLUME,
        always: bool = False,
        limit: str = "5m",
        damage: bool = False,
        patience: float = 8,
        gib: int = 1,
    ) -> subprocess.CompletedProcess[str]:
        """Push a release."""
        facts = HostFacts(
            name="mta",
            instance_id=instance,
            volumes=(("spool", volume),),
            sizes=(("spool", gib),),
        )
        text = bundle_of(pushed, facts, always=always, patience=patience)
        if damage:
            text = text.replace("-- policy", "-- pomicy")
        return self.ssh(push_command(limit), push_input(text))

    def push(self, pushed: Release, *, always: bool = False) -> PushReport:
        """Push a release that must succeed."""
        done = self.send(pushed, always=always)
        assert done.returncode == 0, done.stderr
        return parse_report(done.stdout)

    def push_until(self, pushed: Release, step: str, *, act: str) -> str:
        """Run the agent on the host and do something to it when it has done a step.

        `act` is Python that runs on the host; it returns what the agent said.
        """
        facts = HostFacts(name="mta", instance_id=NAME, volumes=(("spool", VOLUME),))
        program = (
            "import errno, os, signal, sys\n"
            "sys.path.insert(0, '/root/agent.pyz')\n"
            "from hostagent import push\n"
            "from hostagent.host import Host\n"
            "from hostagent.__main__ import main\n"
            "did = []\n"
            "def observer(step):\n"
            f"    if step == {step!r} and not did:\n"
            "        did.append(step)\n"
            f"        {act}\n"
            "sys.exit(main(['push'], Host(observer=observer)))\n"
        )
        text = bundle_of(pushed, facts, patience=8)
        done = self.run("python3", "-c", program, stdin=text, check=False)
        return f"{done.stdout}\n{done.stderr}"

    def torn(self, *releases: Release) -> str:
        """Why the live files are not exactly those of the live one of these, or nothing."""
        script = (
            "import hashlib, json, os, sys\n"
            "paths = json.load(sys.stdin)\n"
            "read = lambda p: open(p, 'rb').read() if os.path.exists(p) else None\n"
            "digest = lambda c: c if c is None else hashlib.sha256(c).hexdigest()\n"
            "print(json.dumps([os.readlink('/opt/ping8/current'),"
            " {p: digest(read(p)) for p in paths}]))\n"
        )
        paths = sorted({file.path for item in releases for file in item.files})
        link, found = json.loads(self.execute("python3", "-c", script, stdin=json.dumps(paths)))
        live = next((item for item in releases if item.id == link.rpartition("/")[2]), None)
        files = live.files if live else ()
        expected = {file.path: hashlib.sha256(file.content).hexdigest() for file in files}
        wrong = [path for path in paths if found[path] != expected.get(path)]
        return f"{link}: {', '.join(wrong)}" if wrong else ""

    def live(self) -> str:
        """Id of the live release."""
        return self.execute("readlink", "/opt/ping8/current", check=False).rpartition("/")[2]

    def started(self, unit: str) -> str:
        """When systemd started a unit's main process last."""
        return self.execute(
            "systemctl", "show", "--value", "-p", "ExecMainStartTimestampMonotonic", unit
        )

    def wait_boot(self) -> None:
        """Until the system is up, its boot units included."""
        self.containers.wait_booted(NAME)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            state = self.execute("systemctl", "is-system-running", "--wait", check=False)
            if state in {"running", "degraded"}:
                return


def boot(containers: Containers, image: str, folder: Path) -> Ground:
    """Boot the host; its user data is a login user and a host key."""
    key = folder / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    public = key.with_suffix(".pub").read_text().strip()
    private = "".join(f"    {line}\n" for line in key.read_text().splitlines())
    known = folder / "known_hosts"
    known.write_text(f"{INTERFACE.address} {public}\n")
    containers.volumes.create(VOLUME, gib=1)
    containers.create(
        Host(
            name=NAME,
            hostname="mta",
            image=image,
            interface=INTERFACE,
            user_data=(
                "#cloud-config\nusers:\n  - name: ping8\n    sudo: ALL=(ALL) NOPASSWD:ALL\n"
                f"    shell: /bin/bash\n    ssh_authorized_keys: [{shlex.quote(public)}]\n"
                "ssh_deletekeys: true\n"
                f"ssh_keys:\n  ed25519_private: |\n{private}  ed25519_public: '{public}'\n"
            ),
            trees={"/opt/kumomta": TREE},
            files={
                "/usr/lib/systemd/system/kumomta.service": _UNIT,
                # No package can be had, and that shows at once.
                "/etc/apt/sources.list": "deb [trusted=yes] file:/nowhere ./\n",
            },
        )
    )
    return Ground(containers=containers, key=key, known_hosts=known)
