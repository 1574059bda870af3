"""Hosts for real: systemd, cloud-init with the very user data, volumes, names, certificates."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox import acme, dns, image
from sandbox.authority import Authority
from sandbox.containers import Containers, Host
from sandbox.fence import Fence, Redirect
from sandbox.layout import Layout
from sandbox.network import Cloud
from sandbox.process import SandboxError, run, wait_until
from sandbox.volumes import Volumes, link_name
from standins.pulumi.hosts import Interface, Record, Rule, Zone
from tests.sandbox.records import text_value

pytestmark = pytest.mark.sandbox

NAME = "i-0123456789abcdef0"
INTERFACE = Interface(
    name="eni-host", address="10.80.1.10", prefix=24, groups=frozenset({"everything"})
)
VOLUME = "vol-0123456789abcdef0"
DISK = f"/dev/disk/by-id/{link_name(VOLUME)}"


@dataclass(frozen=True, kw_only=True)
class Ground:
    """One host and what it runs on."""

    containers: Containers
    names: dns.Authority
    key: Path

    def execute(self, *command: str) -> str:
        return self.containers.execute(NAME, *command).stdout.strip()

    def shell(self, script: str) -> str:
        return self.execute("sh", "-ec", script)


def user_data(key: Path) -> str:
    private = "".join(f"    {line}\n" for line in key.read_text().splitlines())
    public = key.with_suffix(".pub").read_text().strip()
    return (
        "#cloud-config\n"
        "users:\n"
        "  - name: ping8\n"
        "    sudo: ALL=(ALL) NOPASSWD:ALL\n"
        "    shell: /bin/bash\n"
        f"    ssh_authorized_keys: ['{public}']\n"
        "ssh_deletekeys: true\n"
        "ssh_keys:\n"
        f"  ed25519_private: |\n{private}"
        f"  ed25519_public: '{public}'\n"
    )


@pytest.fixture(scope="module")
def ground(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    cloud.up(world_addresses=(dns.SERVER, acme.ADDRESS))
    names = dns.Authority(folder=folder / "dns", cloud=cloud)
    authority = Authority(folder=folder / "authority")
    certificates = acme.Acme(
        folder=folder / "acme",
        cache=Layout.of_checkout().cache,
        cloud=cloud,
        authority=authority,
    )
    containers = Containers(
        cloud=cloud, state=folder / "hosts", volumes=Volumes(folder=folder / "volumes")
    )
    key = folder / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    try:
        names.start()
        names.publish("acme", [acme.zone()])
        certificates.start()
        containers.create(
            Host(
                name=NAME,
                hostname="ip-10-80-1-10",
                image=image.ensure_image(Layout.of_checkout().cache),
                interface=INTERFACE,
                user_data=user_data(key),
                files={"/etc/sandbox-note": "here\n"},
                trusted=authority.certificate.read_text(),
            )
        )
        cloud.apply(_fence())
        containers.wait_booted(NAME)
        yield Ground(containers=containers, names=names, key=key)
    finally:
        containers.remove_all()
        for volume in containers.volumes.ids():
            containers.volumes.delete(volume)
        certificates.stop()
        names.stop()


def _fence() -> Fence:
    return Fence(
        vpc="10.80.0.0/16",
        interfaces=(INTERFACE,),
        elastic={"203.0.113.10": "10.80.1.10"},
        rules=(
            Rule(group="everything", direction="ingress", protocol="-1", cidr="0.0.0.0/0"),
            Rule(group="everything", direction="egress", protocol="-1", cidr="0.0.0.0/0"),
        ),
        services=(
            Redirect("tcp", "169.254.169.253", 53, dns.SERVER, 53),
            Redirect("udp", "169.254.169.253", 53, dns.SERVER, 53),
        ),
    )


def test_the_whole_system_runs_and_cloud_init_has_done_its_work(ground: Ground) -> None:
    assert ground.execute("systemctl", "is-system-running") == "running"
    assert ground.execute("hostname") == "ip-10-80-1-10"
    assert ground.execute("cat", "/etc/sandbox-note") == "here"
    assert "status: done" in ground.execute("cloud-init", "status")


def test_the_login_user_comes_in_by_ssh_at_the_elastic_ip_with_the_given_host_key(
    ground: Ground, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"203.0.113.10 {ground.key.with_suffix('.pub').read_text()}")
    cloud = ground.containers.cloud
    said = run(
        cloud.inside(
            cloud.world,
            "ssh",
            f"-i{ground.key}",
            f"-oUserKnownHostsFile={known}",
            "-oStrictHostKeyChecking=yes",
            "-oBatchMode=yes",
            "ping8@203.0.113.10",
            "sudo -n id -un",
        )
    )
    assert said.stdout == "root\n"


def test_units_may_have_mount_namespaces_and_hosts_their_own_firewall(ground: Ground) -> None:
    ground.execute(
        "systemd-run",
        "--wait",
        "--pipe",
        "--property=ProtectSystem=strict",
        "--property=PrivateTmp=yes",
        "--property=BindReadOnlyPaths=/etc:/mnt",
        "--property=User=nobody",
        "cat",
        "/mnt/hostname",
    )
    ground.shell("nft add table inet own && nft delete table inet own")


def test_a_volume_appears_where_ec2_puts_it_and_survives_reboot_and_instance(
    ground: Ground,
) -> None:
    containers = ground.containers
    containers.volumes.create(VOLUME, gib=1)
    containers.attach(NAME, VOLUME)
    ground.shell(
        f"mkfs.ext4 -q {DISK} && mkdir -p /srv/spool && echo '{DISK} /srv/spool ext4 defaults 0 2'"
        " >> /etc/fstab && mount /srv/spool && echo kept > /srv/spool/note"
    )
    with pytest.raises(SandboxError, match="cannot shrink"):
        containers.volumes.create(VOLUME, gib=0)

    boot = ground.execute("cat", "/proc/sys/kernel/random/boot_id")
    containers.reboot(NAME)
    containers.wait_booted(NAME)
    assert ground.execute("cat", "/proc/sys/kernel/random/boot_id") != boot
    wait_until(lambda: "srv-spool" in ground.execute("systemctl", "list-units"), "it", seconds=20)
    assert ground.execute("cat", "/srv/spool/note") == "kept"

    ground.shell("sed -i /spool/d /etc/fstab")
    containers.detach(NAME, VOLUME)
    assert containers.attached(NAME) == []
    assert ground.shell(f"[ -e {DISK} ] || echo gone") == "gone"
    containers.attach(NAME, VOLUME)
    assert ground.shell(f"mount {DISK} /mnt && cat /mnt/note && umount /mnt") == "kept"


def test_a_reader_of_a_hosts_volumes_never_meets_a_half_written_list(ground: Ground) -> None:
    containers = ground.containers
    record = containers.state / NAME / "volumes.json"
    with record.open() as reader:
        before = record.read_text()
        containers.volumes.create("vol-3", gib=1)
        containers.attach(NAME, "vol-3")
        assert reader.read() == before
    containers.detach(NAME, "vol-3")
    containers.volumes.delete("vol-3")


def test_a_host_that_reboots_itself_comes_back(ground: Ground) -> None:
    boot = ground.execute("cat", "/proc/sys/kernel/random/boot_id")

    def rebooted() -> bool:
        shown = ground.containers.execute(
            NAME, "cat", "/proc/sys/kernel/random/boot_id", check=False
        )
        return shown.returncode == 0 and shown.stdout.strip() != boot

    ground.containers.execute(NAME, "systemctl", "reboot", check=False)
    wait_until(rebooted, "the reboot", seconds=60)
    ground.containers.wait_booted(NAME)
    boots = ground.execute("journalctl", "--list-boots", "--no-pager", "--quiet")
    assert len(boots.splitlines()) > 1


def test_names_of_every_publisher_resolve_on_a_host(ground: Ground) -> None:
    record = Record(name="mta.mail.test", type="A", values=("203.0.113.10",))
    alias = Record(name="www.brand.test", type="CNAME", values=("mta.mail.test.",))
    ground.names.publish("route-53", [Zone(name="mail.test", records=(record,))])
    ground.names.publish("others", [Zone(name="brand.test", records=(alias,))])

    def resolves() -> bool:
        found = ground.containers.execute(NAME, "getent", "ahostsv4", "www.brand.test", check=False)
        return found.stdout.startswith("203.0.113.10")

    wait_until(resolves, "the name", seconds=10)


def test_certbot_gets_a_certificate_by_dns_01_from_the_acme_authority(ground: Ground) -> None:
    hook = 'echo "$CERTBOT_VALIDATION" > /run/asked; while [ ! -e /run/published ]; do :; done'
    ground.shell(f"printf '%s\\n' '#!/bin/sh' '{hook}' > /run/hook; chmod +x /run/hook")
    command = [
        *("podman", "exec", f"{ground.containers.cloud.prefix}-{NAME}", "certbot", "certonly"),
        *("--manual", "--preferred-challenges=dns", "--manual-auth-hook=/run/hook"),
        *("--non-interactive", "--agree-tos", "--register-unsafely-without-email"),
        *(f"--server={acme.DIRECTORY}", "--domain=mta.dns01.test"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as certbot:

        def asked() -> bool:
            return bool(ground.shell("cat /run/asked 2>/dev/null || true"))

        wait_until(asked, "the challenge", seconds=60)
        challenge = Record(
            name="_acme-challenge.mta.dns01.test",
            type="TXT",
            values=(text_value(ground.execute("cat", "/run/asked")),),
        )
        ground.names.publish("dns01", [Zone(name="dns01.test", records=(challenge,))])

        def published() -> bool:
            return bool(ground.execute("dig", "+short", "TXT", challenge.name))

        wait_until(published, "the record", seconds=10)
        ground.shell("touch /run/published")
        output, _ = certbot.communicate(timeout=120)
    assert certbot.returncode == 0, output.decode()
    assert "Pebble" in ground.execute(
        "openssl",
        "x509",
        "-noout",
        "-issuer",
        "-in",
        "/etc/letsencrypt/live/mta.dns01.test/cert.pem",
    )


def test_other_containers_are_none_of_its_business(ground: Ground) -> None:
    assert ground.containers.names() == [NAME]
    other = Containers(
        cloud=Cloud(prefix="other", machine=False),
        state=ground.key.parent / "none",
        volumes=ground.containers.volumes,
    )
    assert other.names() == []


def test_a_host_runs_until_it_has_shut_down_whoever_asks_it_to_stop(ground: Ground) -> None:
    """Its volumes are detached side by side, each once it is stopped."""
    containers = ground.containers
    end = "/var/log/journal/end"
    ground.execute(
        *("systemd-run", "--unit=slow", "--remain-after-exit"),
        f"--property=ExecStop=sh -c 'until [ -e {end} ]; do sleep 0.1; done'",
        "true",
    )
    inspect = (
        "podman",
        "inspect",
        "--format={{.State.Status}}",
        f"{containers.cloud.prefix}-{NAME}",
    )
    with ThreadPoolExecutor() as pool:
        first = pool.submit(containers.stop, NAME)
        wait_until(lambda: run(inspect).stdout.strip() == "stopping", "its end", seconds=20)
        assert containers.running(NAME)
        second = pool.submit(containers.stop, NAME)
        (containers.state / NAME / "journal" / "end").touch()
        first.result()
        second.result()
    assert not containers.running(NAME)


def test_a_removed_host_leaves_nothing_but_its_volumes(ground: Ground) -> None:
    containers = ground.containers
    containers.volumes.create("vol-2", gib=1)
    containers.attach(NAME, "vol-2")
    containers.remove(NAME)
    assert containers.names() == []
    assert "vol-2" in containers.volumes.ids()
    assert containers.volumes.device("vol-2") is None
    listed = json.loads(run(["ip", "-json", "netns"]).stdout or "[]")
    assert containers.cloud.namespace(INTERFACE.name) not in {each["name"] for each in listed}
    assert not (containers.state / NAME).exists()
