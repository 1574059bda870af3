"""`ping8 reputation`: who refuses which source for its reputation, and who is working on it."""

import getpass
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import typer
import yaml
from rich.console import Group, RenderableType
from rich.text import Text

from hostagent.text import printable_line
from ops.nodes import NOT_DONE, ask_all, items
from ops.output import clock, confirm, console
from ops.ssh import ssh_json
from ops.stack import Deployment, HostAccess, read_deployment
from policy.errors import UserError

Refused = Mapping[str, Any]
"""What one provider refuses from one source, as the agent keeps it."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What to do, and the page for it; for a provider, or for an answer with these words."""

    do: str
    page: str = ""
    provider: str = ""
    words: str = ""

    def fits(self, refused: Refused) -> bool:
        """Whether it is about this."""
        return (not self.provider or self.provider == refused["provider"]) and (
            self.words in refused["words"].lower()
        )


@cache
def advice() -> tuple[Advice, ...]:
    """The table, in order."""
    text = resources.files("ops").joinpath("reputation.yaml").read_text("utf-8")
    return tuple(Advice(**entry) for entry in yaml.safe_load(text))


def advice_for(refused: Refused) -> Advice:
    """The first that fits; the last of the table fits all."""
    return next(one for one in advice() if one.fits(refused))


def named(refused: Refused) -> str:
    """As options of the `acknowledge` command."""
    return f"--provider {refused['provider']} --source {refused['source']}"


def headline(refused: Refused, deployment: Deployment) -> str:
    """Who refuses what, how much and since when."""
    source = deployment.egress.get(refused["source"])
    where = f" ({source.public}, {source.ehlo})" if source else ""
    if len(deployment.mta_hosts) > 1 and "host" in refused:
        where += f" on {refused['host']}"
    return (
        f"{refused['provider']} refuses {refused['source']}{where}: "
        f"{refused['for_good']:,} permanent and {refused['for_now']:,} temporary refusals, "
        f"{clock(refused['first'])} to {clock(refused['last'])} UTC"
    )


def shown(found: Sequence[Refused], deployment: Deployment) -> RenderableType:
    """Each with the provider's answer, its page and what to do; acknowledged ones come last."""
    parts: list[RenderableType] = []
    for one in found:
        if not one["acknowledged"]:
            parts += _open(one, deployment)
    for one in found:
        if note := one["acknowledged"]:
            until = f"acknowledged by {note['by']} until {clock(note['until'])} UTC"
            words = printable_line(f"{headline(one, deployment)}; {until}: {note['reason']}")
            parts.append(Text(words, style="dim"))
    return Group(*parts)


def _open(refused: Refused, deployment: Deployment) -> list[RenderableType]:
    stack = deployment.stack
    to_do = advice_for(refused)
    lines = [
        f"  answer: {refused['words']}",
        *([f"  page: {refused['link']}"] if refused["link"] else []),
        f"  first: stop the mail that causes it: {_suspend(refused)} --reason TEXT --stack {stack}",
        f"  then: {to_do.do}{f' {to_do.page}' if to_do.page else ''}",
        f"  and: ping8 reputation acknowledge {named(refused)} --reason TEXT --stack {stack}",
    ]
    head = f"critical  {headline(refused, deployment)}"
    return [
        Text(printable_line(head), style="bold red"),
        # Commands are for pasting: the terminal may break a line, we do not.
        *(Text(printable_line(line), no_wrap=True, overflow="ignore") for line in lines),
    ]


def _suspend(refused: Refused) -> str:
    if refused["provider"] == "other":
        return "ping8 queue suspend --domain NAME"
    return f"ping8 queue suspend --provider {refused['provider']}"


def show(stack: str, *, as_json: bool) -> None:
    """Lists refusals; status 1 if one is not acknowledged."""
    deployment = read_deployment(stack)
    answers = ask_all(deployment.mta_hosts, _listed)
    opened = items(answers, "refusals")
    if as_json:
        typer.echo(json.dumps({"refusals": opened}))
    elif opened:
        console().print(shown(opened, deployment), crop=False)
    else:
        typer.echo("no provider refuses mail because of reputation")
    if any(not one["acknowledged"] for one in opened):
        raise typer.Exit(1)


def _listed(access: HostAccess) -> dict[str, list[Refused]]:
    """The refusals that are enough for an alarm."""
    found: Any = ssh_json(access, ["reputation", "list"])
    return {"refusals": [one for one in found["refusals"] if one["open"]]}


def acknowledge(
    stack: str,
    provider: str,
    source: str | None,
    *,
    reason: str,
    for_: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Ends the alarm for a time, once the operator has seen what it covers."""
    deployment = read_deployment(stack)
    answers = ask_all(deployment.mta_hosts, _listed)
    found = [
        one
        for one in items(answers, "refusals")
        if one["provider"] == provider and source in (None, one["source"])
    ]
    if not found:
        raise UserError(
            f"{provider} does not refuse {source or 'any source'} for its reputation; "
            f"`ping8 reputation list --stack {stack}` shows what is open"
        )
    what = "\n".join(printable_line(headline(one, deployment)) for one in found)
    confirm(
        f"{what}\nNo alarm for {for_}; mail is still refused until the cause is fixed.", yes=yes
    )
    verb = ["reputation", "acknowledge", "--provider", provider, "--reason", reason, "--for", for_]
    verb += [*(["--source", source] if source else []), "--by", getpass.getuser()]
    seen = {one["host"] for one in found}
    hosts = [host for host in deployment.mta_hosts if host.name in seen]
    noted = ask_all(hosts, lambda host: ssh_json(host, verb), without=NOT_DONE)
    done = {"refusals": items(noted, "refusals")}
    if as_json:
        typer.echo(json.dumps(done))
        return
    until = clock(max(one["acknowledged"]["until"] for one in done["refusals"]))
    typer.echo(
        f"acknowledged until {until} UTC; if mail is still refused then, the alarm comes back"
    )
