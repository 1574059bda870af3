"""What a host reports about itself: log-in, units, release, drift, modes, version."""

from collections.abc import Mapping, Sequence
from typing import Any

from hostagent.system import kumomta
from ops.doctor import fixes
from ops.doctor.finding import Finding, failed, passed, warned
from ops.doctor.host_status import HostStatus
from ops.stack import Deployment, HostAccess

_RESTARTS = 3
_SHOWN = 3
_ABOUT_MODES = ("mode ", "owner ")


def login(access: HostAccess) -> Finding:
    """The host answered; what it did not is `no_login`."""
    return passed("host.login", access.name, f"{access.user}@{access.address}")


def no_login(access: HostAccess, error: str, deployment: Deployment) -> Finding:
    """Why the host could not be asked."""
    region = deployment.settings.region
    return failed(
        "host.login",
        access.name,
        error,
        expected="a log-in with the host key of the stack",
        fix="see that your address is in operators.cidrs, and whether the host runs: "
        f"aws ec2 describe-instance-status --region {region} --instance-ids {access.instance_id}",
    )


def units(access: HostAccess, status: HostStatus) -> Finding:
    """All units of the release are active and do not restart in circles."""
    down = [unit for unit in status.units if not unit.up]
    restless = [unit for unit in status.units if unit.restarts >= _RESTARTS]
    if down:
        first = down[0].name
        return failed(
            "host.units",
            access.name,
            ", ".join(f"{unit.name} is {unit.active}" for unit in down),
            expected="active",
            fix=fixes.on_host(
                access, f"sudo journalctl -u {first} -n 50; sudo systemctl start {first}"
            ),
        )
    if restless:
        return warned(
            "host.units",
            access.name,
            ", ".join(f"{unit.name} restarted {unit.restarts} times" for unit in restless),
            expected=f"fewer than {_RESTARTS} restarts",
            fix=fixes.on_host(access, f"sudo journalctl -u {restless[0].name} -n 100"),
        )
    return passed("host.units", access.name, f"{len(status.units)} units are active")


def release(access: HostAccess, status: HostStatus, deployment: Deployment) -> Finding:
    """The live release is the one that the stack says, and no switch was interrupted."""
    if status.release != access.release_id:
        return failed(
            "host.release",
            access.name,
            f"release {status.release or 'none'}",
            expected=access.release_id,
            fix=f"{fixes.push(deployment)}; who rolled back: "
            + fixes.on_host(access, "sudo journalctl -t sudo | grep ping8-agent"),
        )
    if status.pending:
        return warned(
            "host.release",
            access.name,
            f"a switch to {status.pending} was interrupted",
            expected="a finished switch",
            fix=fixes.on_host(access, "sudo ping8-agent finish"),
        )
    return passed("host.release", access.name, access.release_id)


def reboot(access: HostAccess, status: HostStatus) -> Finding:
    """Whether an update waits for a reboot, whose time the operator chooses."""
    if not status.metric("reboot_pending"):
        return passed("host.reboot", access.name, "no reboot is pending")
    return warned(
        "host.reboot",
        access.name,
        "a reboot is pending (/run/reboot-required)",
        expected="none",
        fix=fixes.on_host(access, "sudo reboot") + "; one host at a time (docs/operating.md)",
    )


def drift(
    access: HostAccess,
    answer: Mapping[str, Any],
    status: HostStatus,
    deployment: Deployment,
) -> list[Finding]:
    """Differences of the host from its release: modes and owners apart from all others.

    A unit that does not run is host.units' finding alone.
    """
    down = {unit.name for unit in status.units if not unit.up}
    found = [each for each in answer["differences"] if each["what"] not in down]
    modes = [each for each in found if each["found"].startswith(_ABOUT_MODES)]
    others = [each for each in found if each not in modes]
    return [
        _differences("host.drift", access, others, deployment),
        _differences("host.modes", access, modes, deployment),
    ]


def _differences(
    check: str,
    access: HostAccess,
    differences: Sequence[Mapping[str, Any]],
    deployment: Deployment,
) -> Finding:
    if not differences:
        return passed(check, access.name, "no difference")
    first = "; ".join(f"{each['what']}: {each['found']}" for each in differences[:_SHOWN])
    more = len(differences) - _SHOWN
    return failed(
        check,
        access.name,
        first + (f"; and {more} more" if more > 0 else ""),
        expected=f"what release {access.release_id} says",
        fix=f"{fixes.push(deployment)}; it keeps what it replaces under /opt/ping8/backup",
    )


def version(access: HostAccess, status: HostStatus, deployment: Deployment) -> Finding:
    """The installed KumoMTA is the pinned one, and nothing is known to be wrong with it."""
    pinned, found = deployment.settings.kumomta.version, status.version or "none"
    faults = kumomta.faults(found)
    if pinned in found and not faults:
        return passed("host.version", access.name, found)
    found = "; ".join([found, *faults])
    fix = fixes.push(deployment)
    if deployment.settings.kumomta.preinstalled:
        fix = "give the hosts an image (mta.ami) that brings the pinned version, or pin its own"
    return failed("host.version", access.name, found, expected=pinned, fix=fix)
