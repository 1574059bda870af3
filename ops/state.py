"""A stack's state after a failed update: where it failed, and which hosts exist."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ops import engine
from ops.stackfile import read_stack_file
from policy.cloud_init import LOGIN_USER
from policy.errors import UserError
from policy.settings import Settings
from policy.settings.export import exported

Resources = Mapping[tuple[str, str], Mapping[str, Any]]
"""By type and name."""


def failure(stack: str, folder: Path | None = None) -> str | None:
    """When and where the last update failed; None if it did not, or if that is unknown."""
    try:
        updates = engine.ask(stack, "history", "--json", "--page-size", "1", folder=folder)
        last = updates[0]
        if last["result"] != "failed":
            return None
        where = "; ".join(_where(engine.ask(stack, "export", folder=folder)["deployment"], last))
        return (
            f"the last {last['kind']} of {stack} failed ({last['endTime'][:16]}Z){where and ': '}"
            f"{where}. The state is shown as it is; to continue: `{engine.up_command(stack)}`"
        )
    except (UserError, LookupError, TypeError):
        return None


def _where(deployment: Mapping[str, Any], last: Mapping[str, Any]) -> Iterator[str]:
    """What was interrupted, what is incomplete, and the last change before the failure."""
    for pending in deployment.get("pending_operations", ()):
        yield f"interrupted while {pending['type']} {_name(pending['resource']['urn'])}"
    resources = deployment.get("resources", ())
    for resource in resources:
        if resource.get("initErrors"):
            yield f"{_name(resource['urn'])} is not complete: {resource['initErrors'][0]}"
    for host in _hosts_without_release(resources):
        yield f"{host} has no release yet"
    changed = [one for one in resources if str(one.get("modified", "")) >= last["startTime"]]
    if not changed:
        yield "nothing was changed before it"
    else:
        newest = max(changed, key=lambda one: str(one["modified"]))
        yield f"the last change before it was {_name(newest['urn'])}"


def _hosts_without_release(resources: list[Mapping[str, Any]]) -> Iterator[str]:
    names = {(str(one["type"]), _name(one["urn"])) for one in resources}
    for kind, name in sorted(names):
        release = ("ping8:mail:HostRelease", name.replace("mail-", "mail-release-", 1))
        if kind in {"ping8:mail:MtaHost", "ping8:mail:ProxyHost"} and release not in names:
            yield name.removeprefix("mail-")


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def outputs(stack: str, folder: Path | None = None) -> dict[str, Any]:
    """What a finished update would export, for the hosts that exist already."""
    found = engine.ask(stack, "export", folder=folder)
    try:
        listed = found["deployment"].get("resources", ())
        resources = {(str(one["type"]), _name(one["urn"])): one for one in listed}
    except (AttributeError, LookupError, TypeError):
        resources = {}
    if not any(kind == "ping8:mail:MtaHost" for kind, _ in resources):
        raise UserError(
            f"stack {stack!r}: it has no hosts yet; run `{engine.up_command(stack)}` first"
        )
    settings = read_stack_file(stack)
    hosts = {}
    for name in settings.roles:
        if host := _host(name, settings, resources):
            hosts[name] = host
    return {
        "settings": exported(settings),
        "hosts": hosts,
        "egress": {
            source.name: {
                "ehlo": settings.ehlo(source),
                "public": public,
                "private": private,
                "proxy": source.proxy,
            }
            for source in settings.sources
            if (public := _output(resources, "aws:ec2/eip:Eip", source.name, "publicIp"))
            if (private := _private(resources, source.name))
        },
    }


def _host(name: str, settings: Settings, resources: Resources) -> dict[str, str] | None:
    """None if something needed to log in is still missing."""
    role = settings.roles[name]
    first = name if role == "mta" else settings.sources_of(name)[0].name
    key = resources.get(("tls:index/privateKey:PrivateKey", f"mail-credentials-host-{name}"), {})
    release = resources.get(("ping8:mail:HostRelease", f"mail-release-{name}"), {})
    instance = resources.get(("aws:ec2/instance:Instance", f"mail-{name}-instance"), {})
    host = {
        "address": _output(resources, "aws:ec2/eip:Eip", first, "publicIp"),
        "private_address": _private(resources, first),
        "host_key": key.get("outputs", {}).get("publicKeyOpenssh"),
        "instance_id": instance.get("id"),
    }
    if not all(isinstance(value, str) and value for value in host.values()):
        return None
    known = str(release.get("outputs", {}).get("release_id", "none"))
    return {**host, "role": role, "user": LOGIN_USER, "release_id": known}


def _private(resources: Resources, address: str) -> Any:
    kind = "aws:ec2/eipAssociation:EipAssociation"
    found = resources.get((kind, f"mail-address-{address}-association"), {})
    return found.get("inputs", {}).get("privateIpAddress")


def _output(resources: Resources, kind: str, address: str, name: str) -> Any:
    return resources.get((kind, f"mail-address-{address}-eip"), {}).get("outputs", {}).get(name)
