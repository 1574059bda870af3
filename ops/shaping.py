"""`ping8 shaping`: what automation has suspended or changed on MTA hosts; lifts a suspension."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from hostagent.text import printable_line
from ops.nodes import NOT_DONE, ask_all, items
from ops.output import clock, confirm, operator
from ops.ssh import ssh_json
from ops.stack import HostAccess, read_deployment
from policy.errors import UserError

_WORDS = {"site": "suspended", "queues": "queues suspended", "bounce": "BOUNCED"}
_LISTS = ("suspended", "lifted", "changed")


def show(stack: str, *, as_json: bool) -> None:
    """One line for each decision, with the rule as its reason, and when it ends."""
    answers = _listed(read_deployment(stack).mta_hosts)
    found = {name: items(answers, name) for name in _LISTS}
    problems = {host: one["problem"] for host, one in answers.items() if one["problem"]}
    if as_json:
        typer.echo(json.dumps({**found, "problems": problems}))
        return
    for line in _lines(found, list(answers)):
        typer.echo(printable_line(line))
    for host, problem in problems.items():
        of = f" of {host}" if len(answers) > 1 else ""
        typer.echo(f"tsa-daemon{of} does not answer, so limits are not known: {problem}")
    if not problems and not any(found.values()):
        typer.echo("nothing is suspended or changed")


def _listed(hosts: Sequence[HostAccess]) -> dict[str, Mapping[str, Any]]:
    return ask_all(hosts, lambda host: ssh_json(host, ["shaping", "list"]))


def _lines(found: Mapping[str, Sequence[Mapping[str, Any]]], hosts: Sequence[str]) -> Iterator[str]:
    """Each decision once; the hosts that have it, unless all do."""
    said: dict[str, list[str]] = {}
    for name in _LISTS:
        for one in found[name]:
            word = _WORDS[one["kind"]] if name == "suspended" else name
            what = _changed(one) if name == "changed" else _one(one)
            said.setdefault(f"{word}: {what}", []).append(one["host"])
    for line, having in said.items():
        yield line if len(set(having)) == len(hosts) else f"{line} (only on {', '.join(having)})"


def _one(one: Mapping[str, Any]) -> str:
    source = f" from {one['source']}" if one["source"] else ""
    until = f", until {clock(one['ends'])} UTC" if one["ends"] else ""
    return f"{one['site']}{source}: {one['reason']}{until}"


def _changed(one: Mapping[str, Any]) -> str:
    return (
        f"{one['domain']} from {one['source']}: {one['name']} = {one['value']}: "
        f"{one['reason']}, until {clock(one['ends'])} UTC"
    )


def lift(stack: str, site: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Ends what is suspended at a site on every MTA host, once the operator has seen it.

    Status 1 if a host did not answer.
    """
    hosts = read_deployment(stack).mta_hosts
    answers = _listed(hosts)
    meant = [one for one in items(answers, "suspended") if site in (one["site"], one["name"])]
    if not meant:
        raise UserError(
            f"{site} is not suspended; `ping8 shaping --stack {stack}` shows what is. A changed "
            "limit ends by itself"
        )
    lines = dict.fromkeys(printable_line(_one(one)) for one in meant)
    confirm("\n".join(["This ends:", *lines]), yes=yes)
    verb = ["shaping", "lift", "--site", site, "--reason", reason, "--by", operator()]
    having = {one["host"] for one in meant}
    done = ask_all(
        [host for host in hosts if host.name in having],
        lambda host: ssh_json(host, verb),
        without=NOT_DONE,
    )
    lifted = items(done, "lifted")
    if as_json:
        typer.echo(json.dumps({"lifted": lifted}))
    else:
        on = f" on {', '.join(done)}" if len(hosts) > 1 else ""
        typer.echo(
            f"{site}: {len(lifted)} lifted{on}. The rule suspends it again at its next match, or "
            "when kumod or tsa-daemon restarts before its end."
        )
    if len(answers) < len(hosts) or len(done) < len(having):
        raise typer.Exit(1)
