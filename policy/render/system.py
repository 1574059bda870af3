"""What both kinds of host get besides mail: kernel settings, journal, time, updates, the agent."""

from policy.agent_bundle import agent_zipapp
from policy.cloud_init import OPERATORS_KEYS
from policy.release import PackageSource, ReleaseFile
from policy.render.templates import template_file
from policy.settings import Settings
from policy.settings.base import seconds
from policy.settings.instances import Architecture
from policy.settings.ubuntu import ubuntu_releases

PACKAGES = ("chrony", "nftables", "unattended-upgrades")
FIREWALL = "ping8-firewall.service"
FINISH_TIMER = "ping8-finish.timer"
_CHRONY = ("restart chrony.service",)
FIREWALL_EFFECTS = (f"restart {FIREWALL}",)
SYSCTL = ("restart systemd-sysctl.service",)


def system_files(
    settings: Settings, *, agent_effects: tuple[str, ...] = ()
) -> tuple[ReleaseFile, ...]:
    """The files of every host; `agent_effects` restart services that keep the agent running."""
    return (
        template_file("common", "/etc/sysctl.d/60-ping8.conf", effects=SYSCTL),
        template_file(
            "common",
            "/etc/systemd/journald.conf.d/ping8.conf",
            effects=("restart systemd-journald.service",),
            values={
                "journal_gib": settings.logs.journal_gib,
                "keep_seconds": seconds(settings.logs.keep),
            },
        ),
        template_file("common", "/etc/ping8/chrony.sources", effects=_CHRONY),
        template_file("common", "/etc/systemd/system/chrony.service.d/ping8.conf", effects=_CHRONY),
        template_file("common", "/etc/ping8/nftables/metadata.nft", effects=FIREWALL_EFFECTS),
        template_file("common", f"/etc/systemd/system/{FIREWALL}", effects=FIREWALL_EFFECTS),
        template_file("common", "/etc/apt/apt.conf.d/52ping8-upgrades"),
        template_file("common", "/etc/needrestart/conf.d/ping8.conf"),
        template_file("common", "/etc/systemd/system/ping8-finish.service"),
        template_file(
            "common",
            f"/etc/systemd/system/{FINISH_TIMER}",
            effects=(f"restart {FINISH_TIMER}",),
        ),
        template_file("common", "/etc/systemd/system/multi-user.target.d/ping8.conf"),
        _operators_keys(settings),
        ReleaseFile(
            path="/usr/local/sbin/ping8-agent",
            content=agent_zipapp(),
            mode=0o755,
            effects=agent_effects,
        ),
    )


def package_source(settings: Settings, processor: Architecture) -> PackageSource | None:
    """KumoMTA's repository, pinned if configured; None if the image brings KumoMTA."""
    if settings.kumomta.preinstalled:
        return None
    ubuntu, pin = ubuntu_releases()[settings.os.release], settings.kumomta.pin
    if pin is None:
        return PackageSource(key=ubuntu["key"], list=ubuntu["list"])
    return PackageSource(
        key=ubuntu["key"],
        list=ubuntu["list"],
        lines=pin.source,
        fingerprint=pin.fingerprint,
        digest=pin.digests[processor],
    )


def masked(*units: str) -> tuple[ReleaseFile, ...]:
    """Units that KumoMTA's package enables and the host does not use: an empty file masks one.

    Otherwise the next reboot would start a second MTA.
    """
    return tuple(ReleaseFile(path=f"/etc/systemd/system/{unit}", content=b"") for unit in units)


def _operators_keys(settings: Settings) -> ReleaseFile:
    """Read at each log-in. User data points sshd to it, so that a new key replaces no host."""
    lines = (f"{key}\n" for key in settings.operators.ssh_keys)
    return ReleaseFile(path=OPERATORS_KEYS, content="".join(lines).encode())
