"""`ping8 rollback`: switches a host back to a release that it kept."""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from ops.output import confirm
from ops.ssh import ssh_json
from ops.stack import Deployment, HostAccess, read_deployment
from policy.errors import UsageError, UserError

_LIMIT = 1800
_SHOWN = 4


def rollback(
    stack: str,
    *,
    to: str | None,
    host: str | None,
    kept: bool,
    old_credentials: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Lists a host's releases, and switches to one of them if the operator agrees."""
    deployment = read_deployment(stack)
    access = deployment.host(host) if host else _only(deployment)
    status: Any = ssh_json(access, ["status"])
    if kept:
        _list(access, status, as_json=as_json)
        return
    target = _target(access, status, to)
    what = f"{access.name}: from release {status['release']} to {target}, with its KumoMTA; "
    for line in changes(status, target):
        typer.echo(f"  {line}", err=True)
    confirm(what + "kumod may restart (injection answers 503 meanwhile).", yes=yes)
    report: Any = ssh_json(
        access,
        ["rollback", "--to", target, *(["--old-credentials"] if old_credentials else [])],
        limit=_LIMIT,
        progress=lambda line: typer.echo(line, err=True),
    )
    if as_json:
        typer.echo(json.dumps(report))
        return
    effects = ", ".join(report["restarted"]) or "nothing had to restart"
    typer.echo(f"{access.name}: release {report['release']} is live, {report['previous']} was.")
    typer.echo(f"{len(report['changed'])} files differ; {effects}.")
    typer.echo(
        "The stack does not know about this: change the settings to match, or the next push by "
        "`pulumi up` undoes it."
    )


def _only(deployment: Deployment) -> HostAccess:
    """The MTA host, if there is only one."""
    if len(deployment.mta_hosts) > 1:
        names = " or ".join(each.name for each in deployment.mta_hosts)
        raise UsageError(f"--host: name the host, {names} or a proxy")
    return deployment.mta


def _target(access: HostAccess, status: dict[str, Any], to: str | None) -> str:
    if to is None:
        if status["previous"] is None:
            raise UserError(
                f"{access.name}: it has no earlier release; push the settings that you want"
            )
        return str(status["previous"])
    found = [release for release in status["kept"] if release.startswith(to)]
    if len(found) != 1:
        what = "is the beginning of several" if found else "is not kept"
        raise UserError(f"--to {to}: {what} on {access.name}; kept: {', '.join(status['kept'])}")
    return str(found[0])


def changes(status: Mapping[str, Any], release: str) -> list[str]:
    """Each file that going to a kept release would add, remove or change."""
    found = status.get("kept_differs", {}).get(release, {})
    return [f"{word} {path}" for word, paths in found.items() for path in paths]


def _in_short(rows: Sequence[str]) -> str:
    """How many files differ, and some of them."""
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    files = "file differs" if len(rows) == 1 else "files differ"
    return f"{len(rows)} {files}: {', '.join(rows[:_SHOWN])}{more}"


def _list(access: HostAccess, status: dict[str, Any], *, as_json: bool) -> None:
    times = status.get("kept_at", {})
    rows = [
        {
            "release": release,
            "since": times.get(release),
            "live": release == status["release"],
            "before": release == status["previous"],
            "differs": status.get("kept_differs", {}).get(release),
        }
        for release in status["kept"]
    ]
    rows.sort(key=lambda row: row["since"] or 0, reverse=True)
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        since = row["since"]
        when = (
            f"{datetime.datetime.fromtimestamp(since, datetime.UTC):%F %H:%M} UTC" if since else ""
        )
        word = "live" if row["live"] else "before it" if row["before"] else ""
        typer.echo(f"{access.name}  {row['release']}  {when}  {word}".rstrip())
        if found := changes(status, row["release"]):
            typer.echo(f"  {_in_short(found)}")
