"""`ping8 shaping`: what automation has suspended or changed on the MTA host; lifts a suspension."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import typer

from hostagent.text import printable_line
from ops.output import clock, confirm, operator
from ops.ssh import ssh_json
from ops.stack import HostAccess, read_deployment
from policy.errors import UserError

_WORDS = {"site": "suspended", "queues": "queues suspended", "bounce": "BOUNCED"}


def show(stack: str, *, as_json: bool) -> None:
    """One line for each decision, with the rule as its reason, and when it ends."""
    found = _listed(read_deployment(stack).mta)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for line in _lines(found):
        typer.echo(printable_line(line))
    if found["problem"]:
        typer.echo(f"tsa-daemon does not answer, so limits are not known: {found['problem']}")
    elif not any(found[kind] for kind in ("suspended", "lifted", "changed")):
        typer.echo("nothing is suspended or changed")


def _listed(access: HostAccess) -> dict[str, Any]:
    found: dict[str, Any] = ssh_json(access, ["shaping", "list"])
    return found


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    for one in found["suspended"]:
        yield f"{_WORDS[one['kind']]}: {_one(one)}"
    for one in found["lifted"]:
        yield f"lifted: {_one(one)}"
    for one in found["changed"]:
        yield (
            f"changed: {one['domain']} from {one['source']}: {one['name']} = {one['value']}: "
            f"{one['reason']}, until {clock(one['ends'])} UTC"
        )


def _one(one: Mapping[str, Any]) -> str:
    source = f" from {one['source']}" if one["source"] else ""
    until = f", until {clock(one['ends'])} UTC" if one["ends"] else ""
    return f"{one['site']}{source}: {one['reason']}{until}"


def lift(stack: str, site: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Ends what is suspended at a site, once the operator has seen it."""
    access = read_deployment(stack).mta
    found = _listed(access)
    meant = [one for one in found["suspended"] if site in (one["site"], one["name"])]
    if not meant:
        raise UserError(
            f"{site} is not suspended; `ping8 shaping --stack {stack}` shows what is. A changed "
            "limit ends by itself"
        )
    confirm("\n".join(["This ends:", *(printable_line(_one(one)) for one in meant)]), yes=yes)
    verb = ["shaping", "lift", "--site", site, "--reason", reason, "--by", operator()]
    done: Any = ssh_json(access, verb)
    if as_json:
        typer.echo(json.dumps(done))
        return
    typer.echo(
        f"{site}: {len(done['lifted'])} lifted. The rule suspends it again at its next match, or "
        "when kumod or tsa-daemon restarts before its end."
    )
