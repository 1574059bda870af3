"""`ping8 rotate dkim`: writes the next safe step, or says what it waits for."""

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import TypeAdapter, ValidationError
from rich.table import Table
from rich.text import Text

from ops import engine, output
from ops.doctor.resolver import Resolver, servers_of
from ops.nodes import ask_every
from ops.rotate import look, units
from ops.rotate.machine import Seen, Step, Wait, Wish, next_step
from ops.ssh import ssh_json
from ops.stack import Deployment, read_deployment
from ops.stackfile import STACKS
from policy.errors import UsageError
from policy.settings.base import MOMENT, Duration, seconds

_AFFECTS_HOSTS = frozenset({"active", "made"})
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The command line."""

    brand: str | None
    domain: str | None
    leaked: bool
    every: str | None
    """A duration."""
    yes: bool
    as_json: bool


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What happens to a unit, and details of what it waits for."""

    unit: units.Unit
    next: Step | Wait
    details: tuple[str, ...] = ()

    @property
    def needs_up(self) -> bool:
        """Whether `pulumi up` is the next thing to do."""
        if isinstance(self.next, Wait):
            return self.next.kind == "up"
        return not _AFFECTS_HOSTS.isdisjoint(self.next.writes)

    @property
    def needs_somebody(self) -> bool:
        """Whether it goes on only after a person has done something."""
        return self.needs_up or self.next.kind == "dns"

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        step = self.next if isinstance(self.next, Step) else None
        until = None if step or not isinstance(self.next, Wait) else self.next.until
        return {
            "keys": self.unit.name,
            "owners": len(self.unit.owners),
            "step": step.kind if step else None,
            "waits_for": None if step else self.next.kind,
            "until": f"{until:{MOMENT}}" if until else None,
            "why": self.next.why,
            "gives_up": step.gives_up if step else "",
            "details": list(self.details),
            "writes": dict(step.writes) if step else {},
            "up": self.needs_up,
        }


def dkim(
    stack: str, wishes: Wishes, *, directory: Path = STACKS, now: datetime.datetime | None = None
) -> None:
    """One step of each rotation. Status 1 if somebody must do something for it to go on."""
    every = _every(wishes.every)
    written = units.Written.read(stack, directory)
    chosen = units.units(written, brand=wishes.brand, domain=wishes.domain)
    now = now or datetime.datetime.now(datetime.UTC)
    decisions = _decide(written, read_deployment(stack), chosen, wishes.leaked, every, now)
    steps = [(one.unit, one.next.writes) for one in decisions if isinstance(one.next, Step)]
    if not wishes.as_json:
        _show(decisions)
    if steps:
        output.confirm(f"This writes {len(steps)} of these to {_files(steps)}.", yes=wishes.yes)
        units.write(written, steps, stack)
    if wishes.as_json:
        typer.echo(json.dumps([one.as_dict() for one in decisions]))
    elif any(one.needs_up for one in decisions):
        gone = any(one.next.kind == "leaked" for one in decisions)
        again = "without --leaked: the leaked key is gone then" if gone else "again"
        typer.echo(f"Next: {engine.up_command(stack)}, then this command {again}.")
    if any(one.needs_somebody for one in decisions):
        raise typer.Exit(1)


def _decide(
    written: units.Written,
    deployment: Deployment,
    chosen: list[units.Unit],
    leaked: bool,
    every: datetime.timedelta,
    now: datetime.datetime,
) -> list[Decision]:
    statuses = look.ask_statuses(deployment)
    keys = _keys(deployment)
    resolver = Resolver(servers_of(deployment.stack))
    published = look.PublishedKeys(resolver, written.settings, keys)
    decisions = []
    for unit in chosen:
        wish = Wish(max_age=_max_age(unit, written, deployment), leaked=leaked, every=every)
        late = look.not_applied(unit, written.settings, deployment, statuses)
        lacking = () if late else tuple(published.lacking(unit, unit.keys.idle_selector))
        seen = Seen(
            now=now,
            applied=late is None,
            lacking=frozenset({unit.keys.idle_selector} if lacking else ()),
        )
        found = next_step(unit.keys, seen, wish)
        if isinstance(found, Step):
            details = tuple(_keys_to_set(unit, found, written))
        else:
            details = {"up": (late or "",), "dns": lacking}.get(found.kind, ())
        decisions.append(Decision(unit=unit, next=found, details=details))
    return decisions


def _keys(deployment: Deployment) -> dict[str, str]:
    """The public keys that are the same on every MTA host."""
    answers = ask_every(deployment.mta_hosts, lambda host: ssh_json(host, ["public-keys"]))
    return dict(set.intersection(*({*keys.items()} for keys in answers.values())))


def _every(duration: str | None) -> datetime.timedelta:
    if duration is None:
        return datetime.timedelta(0)
    try:
        return datetime.timedelta(seconds=seconds(TypeAdapter(Duration).validate_python(duration)))
    except ValidationError:
        raise UsageError(f"--every {duration}: write a number and a unit, such as 180d") from None


def _keys_to_set(unit: units.Unit, step: Step, written: units.Written) -> Iterator[str]:
    """What to do about configured keys, which only their owner can replace."""
    made = step.writes.get("made")
    for selector, time in made.items() if isinstance(made, Mapping) else ():
        if time != unit.keys.made.get(selector):
            for place in written.given_keys(unit.owners, selector):
                yield (
                    f"{place} is configured; before `pulumi up`, set a new key: pulumi config set "
                    f"--secret --path 'dkimKeys[\"{place}\"]' < NEW.pem"
                )


def _max_age(
    unit: units.Unit, written: units.Written, deployment: Deployment
) -> datetime.timedelta:
    """The longest life of a message that these keys signed, by the old and the new settings."""
    return datetime.timedelta(
        seconds=max(
            seconds(settings.brand(domain.brand).max_age)
            for settings in (written.settings, deployment.settings)
            for domain in settings.domains
            if domain.key_owner in unit.owners
        )
    )


def _files(steps: list[tuple[units.Unit, Mapping[str, object]]]) -> str:
    return " and ".join(sorted({unit.place[0].name for unit, _ in steps}))


def _show(decisions: list[Decision]) -> None:
    table = Table.grid(padding=(0, 2))
    for one in decisions:
        until = getattr(one.next, "until", None)
        what = "waits" if isinstance(one.next, Wait) else "next step"
        when = f", until {output.clock(until.timestamp())} UTC" if until else ""
        table.add_row(*map(Text, (one.unit.name, what, f"{one.next.why}{when}")))
        if isinstance(one.next, Step) and one.next.gives_up:
            table.add_row(*map(Text, ("", "gives up", one.next.gives_up)))
        for detail in one.details[:_SHOWN]:
            table.add_row(*map(Text, ("", "", detail)))
        if len(one.details) > _SHOWN:
            table.add_row("", "", f"and {len(one.details) - _SHOWN:,} more")
    output.console().print(table)
