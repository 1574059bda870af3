"""`ping8 queue`: what waits on the MTA host; holding it back, letting it go, ending it."""

import getpass
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from ops.output import confirm, console
from ops.ssh import ssh_json
from ops.stack import read_deployment
from policy.errors import UserError

_SHOWN = 30


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """Which messages; all that are given must hold."""

    domain: str | None = None
    brand: str | None = None
    campaign: str | None = None

    def words(self) -> list[str]:
        """As options of the agent."""
        given = (("--domain", self.domain), ("--brand", self.brand), ("--campaign", self.campaign))
        return [word for option, value in given if value for word in (option, value)]

    def covers(self, queue: Mapping[str, Any]) -> bool:
        """Whether a queue is meant."""
        wanted = {"domain": self.domain, "brand": self.brand, "campaign": self.campaign}
        return all(value is None or queue[name] == value for name, value in wanted.items())


def show(stack: str, criteria: Criteria, *, as_json: bool) -> None:
    """Queues with their messages, by size; providers; what is suspended."""
    found: Any = ssh_json(read_deployment(stack).mta, ["queue", "list"])
    found["queues"] = [queue for queue in found["queues"] if criteria.covers(queue)]
    if as_json:
        typer.echo(json.dumps(found))
        return
    waiting = sum(queue["messages"] for queue in found["queues"])
    typer.echo(f"{waiting:,} messages wait in {len(found['queues'])} queues")
    table = Table.grid(padding=(0, 2))
    for column in ("right", "left", "left", "left", "left"):
        table.add_column(justify=column)
    for queue in found["queues"][:_SHOWN]:
        held = f"suspended: {'; '.join(queue['suspended'])}" if queue["suspended"] else ""
        row = (f"{queue['messages']:,}", queue["domain"], queue["brand"], queue["campaign"], held)
        table.add_row(*map(Text, row))
    console().print(table)
    if len(found["queues"]) > _SHOWN:
        typer.echo(f"and {len(found['queues']) - _SHOWN} more queues (--json lists all)")
    for provider, count in sorted(found["providers"].items(), key=lambda item: -item[1]):
        if count:
            typer.echo(f"provider {provider}: {count:,}")
    for kind in ("suspended", "bounces"):
        for one in found[kind]:
            meant = ", ".join(
                f"{name} {one[name]}" for name in ("domain", "tenant", "campaign") if one.get(name)
            )
            typer.echo(f"{kind} {one['id'][:8]}: {meant or 'ALL QUEUES'}: {one['reason']}")


def act(
    stack: str,
    kind: str,
    criteria: Criteria,
    *,
    reason: str,
    duration: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Suspends or bounces what the criteria say, once the operator has seen how much that is."""
    if not criteria.words():
        raise UserError(
            f"{kind}: without criteria it would be every queue; name --domain, --brand or "
            "--campaign"
        )
    access = read_deployment(stack).mta
    found: Any = ssh_json(access, ["queue", "list"])
    meant = [queue for queue in found["queues"] if criteria.covers(queue)]
    if not meant:
        raise UserError(f"{kind}: no queue is meant by {' '.join(criteria.words())}")
    count = sum(queue["messages"] for queue in meant)
    what = {
        "suspend": f"{count:,} messages in {len(meant)} queues are held back for {duration}; "
        "new ones, too. A restart of kumod forgets it.",
        "bounce": f"{count:,} messages in {len(meant)} queues END FOR GOOD, and PING8 is told "
        f"AdminBounce for each; for {duration} new ones, too.",
    }[kind]
    confirm(what, yes=yes)
    verb = ["queue", kind, *criteria.words(), "--reason", reason, "--for", duration]
    done: Any = ssh_json(access, [*verb, "--by", getpass.getuser()])
    if as_json:
        typer.echo(json.dumps(done))
        return
    typer.echo(f"{kind} {done['id'][:8]} holds for {duration}: {done['messages']:,} messages")
    typer.echo(f"To end it: ping8 queue resume {done['id'][:8]} --stack {stack}")


def resume(stack: str, which: str, *, reason: str, as_json: bool) -> None:
    """Ends a suspension, or a bounce for new mail."""
    verb = ["queue", "resume", "--id", which, "--reason", reason, "--by", getpass.getuser()]
    done: Any = ssh_json(read_deployment(stack).mta, verb)
    typer.echo(json.dumps(done) if as_json else f"{done['was']} {done['resumed'][:8]} is over")
