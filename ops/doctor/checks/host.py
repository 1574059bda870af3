"""What a host reports about itself: log-in, units, release, drift, modes, version."""

from collections.abc import Mapping, Sequence

from hostagent.system import kumomta
from ops.doctor import fixes
from ops.doctor.case import Case
from ops.doctor.finding import Finding, failed, passed, warned
from ops.doctor.registry import check
from ops.doctor.subjects import CHANGED_HOSTS, HOSTS, MTA
from ops.drain import since
from ops.stack import HostAccess
from policy.errors import UserError

_RESTARTS = 3
_SHOWN = 3
_ABOUT_MODES = ("mode ", "owner ")


@check("host.login", HOSTS)
def login(access: HostAccess, case: Case) -> Finding:
    """The host answers over SSH."""
    try:
        case.status(access)
    except UserError as error:
        if case.reach.cause(error) != str(error):
            raise  # this machine is at fault, not the host
        why = str(error)
    else:
        return passed(f"{access.user}@{access.address}")
    region = case.settings.region
    return failed(
        why,
        expected="a log-in with the stack's host key",
        fix="check that your address is in operators.cidrs and that the host is running: "
        f"aws ec2 describe-instance-status --region {region} --instance-ids {access.instance_id}",
    )


@check("host.units", HOSTS)
def units(access: HostAccess, case: Case) -> Finding:
    """All units of the release are active and do not keep restarting."""
    status = case.status(access)
    down = [unit for unit in status.units if not unit.up]
    restless = [unit for unit in status.units if unit.restarts >= _RESTARTS]
    if down:
        first = down[0].name
        return failed(
            ", ".join(f"{unit.name} is {unit.active}" for unit in down),
            expected="active",
            fix=fixes.on_host(
                access, f"sudo journalctl -u {first} -n 50; sudo systemctl start {first}"
            ),
        )
    if restless:
        return warned(
            ", ".join(f"{unit.name} restarted {unit.restarts} times" for unit in restless),
            expected=f"fewer than {_RESTARTS} restarts",
            fix=fixes.on_host(access, f"sudo journalctl -u {restless[0].name} -n 100"),
        )
    return passed(f"{len(status.units)} units are active")


@check("host.release", HOSTS)
def release(access: HostAccess, case: Case) -> Finding:
    """The live release is the stack's, and no switch was interrupted."""
    status = case.status(access)
    if status.release != access.release_id:
        return failed(
            f"release {status.release or 'none'}",
            expected=access.release_id,
            fix=f"{fixes.push(case.deployment)}; to see who rolled back: "
            + fixes.on_host(access, "sudo journalctl -t sudo | grep ping8-agent"),
        )
    if status.pending:
        return warned(
            f"a switch to {status.pending} was interrupted",
            expected="a finished switch",
            fix=fixes.on_host(access, "sudo ping8-agent finish"),
        )
    return passed(access.release_id)


@check("host.draining", MTA)
def draining(access: HostAccess, case: Case) -> Finding:
    """The host takes injections: nobody forgot to take a drain back."""
    mark = case.status(access).draining
    if not mark:
        return passed("it takes injections")
    return warned(
        since(mark),
        expected="no drain",
        fix=f"ping8 drain {access.name} --back --stack {case.deployment.stack}",
    )


@check("host.reboot", HOSTS)
def reboot(access: HostAccess, case: Case) -> Finding:
    """No update needs a reboot. The operator chooses when to reboot."""
    if not case.status(access).metric("reboot_pending"):
        return passed("no reboot is pending")
    return warned(
        "a reboot is pending (/run/reboot-required)",
        expected="none",
        fix=fixes.on_host(access, "sudo reboot") + "; one host at a time (docs/operating.md)",
    )


@check("host.drift", CHANGED_HOSTS)
def drift(access: HostAccess, case: Case) -> Finding:
    """Differences of the host from its release, except modes and owners."""
    changes = _changes(access, case)
    return _differences(access, [each for each in changes if not _about_modes(each)], case)


@check("host.modes", CHANGED_HOSTS)
def modes(access: HostAccess, case: Case) -> Finding:
    """Modes and owners of files."""
    return _differences(access, [e for e in _changes(access, case) if _about_modes(e)], case)


def _changes(access: HostAccess, case: Case) -> list[Mapping[str, str]]:
    """All differences, except units that do not run: host.units reports those."""
    down = {unit.name for unit in case.status(access).units if not unit.up}
    answer = case.ask(access, "drift")
    return [each for each in answer["differences"] if each["what"] not in down]


def _about_modes(change: Mapping[str, str]) -> bool:
    return change["found"].startswith(_ABOUT_MODES)


def _differences(
    access: HostAccess, differences: Sequence[Mapping[str, str]], case: Case
) -> Finding:
    if not differences:
        return passed("no difference")
    first = "; ".join(f"{each['what']}: {each['found']}" for each in differences[:_SHOWN])
    more = len(differences) - _SHOWN
    return failed(
        first + (f"; and {more} more" if more > 0 else ""),
        expected=f"as in release {access.release_id}",
        fix=f"{fixes.push(case.deployment)}; replaced files are kept in /opt/ping8/backup",
    )


@check("host.version", MTA)
def version(access: HostAccess, case: Case) -> Finding:
    """The installed KumoMTA is the pinned one and has no known faults."""
    wanted = case.settings.kumomta
    pinned, found = wanted.version, case.status(access).version or "none"
    faults = kumomta.faults(found)
    if pinned in found and not faults:
        return passed(found)
    found = "; ".join([found, *faults])
    fix = fixes.push(case.deployment)
    if wanted.preinstalled:
        fix = "set mta.ami to an image with the pinned version, or pin the image's version"
    return failed(found, expected=pinned, fix=fix)
