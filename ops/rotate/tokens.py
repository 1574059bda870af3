"""`ping8 rotate token`: two steps, between which PING8 changes to the new token."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import typer

from ops import engine, output
from ops.rotate.look import ask_statuses, late_hosts
from ops.rotate.units import Place, Written, put_all
from ops.stack import Deployment, read_deployment
from ops.stackfile import STACKS
from policy.errors import UserError
from policy.settings.base import MOMENT
from policy.settings.operation import Token


class Kind(StrEnum):
    """The two tokens."""

    injection = "injection"
    webhook = "webhook"


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step with its values, or what it waits for; and what comes next."""

    step: str | None
    waits_for: str | None
    next: str
    writes: Mapping[str, object]


_NEW = {
    Kind.injection: "`pulumi up`: both tokens are accepted. Then PING8 sends the new one",
    Kind.webhook: "`pulumi up`: kumod sends the old token. Then PING8 accepts the new one, too",
}
_WAITS = {
    Kind.injection: "PING8 sends the new token",
    Kind.webhook: "PING8 accepts the new token beside the old one",
}
_DROP = {
    Kind.injection: "`pulumi up`: only the new token is accepted",
    Kind.webhook: "`pulumi up`: kumod sends the new token. Then PING8 drops the old one",
}


def next_step(
    kind: Kind, token: Token, *, applied: bool, ready: bool, now: datetime.datetime
) -> Done:
    """The one thing to do now: a pure function."""
    if not applied:
        return Done(step=None, waits_for="up", next="`pulumi up`", writes={})
    if not token.keep:
        made = [*token.made[-1:], f"{now:{MOMENT}}"]
        return Done(
            step="make", waits_for=None, next=_NEW[kind], writes={"made": made, "keep": True}
        )
    if ready:
        return Done(step="drop", waits_for=None, next=_DROP[kind], writes={"keep": False})
    return Done(step=None, waits_for="ping8", next=_WAITS[kind], writes={})


def rotate(
    stack: str,
    kind: Kind,
    *,
    ready: bool,
    yes: bool,
    as_json: bool,
    directory: Path = STACKS,
    now: datetime.datetime | None = None,
) -> None:
    """One step. Status 1: somebody must do something before it goes on."""
    written = Written.read(stack, directory)
    deployment = read_deployment(stack)
    token: Token = getattr(written.settings.tokens, kind)
    now = now or datetime.datetime.now(datetime.UTC)
    applied = _applied(kind, token, deployment)
    done = next_step(kind, token, applied=applied, ready=ready, now=now)
    given = f"{kind}Token"
    if done.step == "drop" and given in written.config:
        raise UserError(
            f"{given} is configured in {written.path.name}, and the new token replaces it: remove "
            f"it first with `pulumi config rm {given} -s {stack}`, then run this command again"
        )
    if done.writes:
        what = "a new token" if done.step == "make" else "the old token dropped"
        output.confirm(f"This writes {what} to {written.path.name}.", yes=yes)
        place: Place = written.place("tokens", kind.value)
        put_all(written, stack, [(place, done.writes)])
    if as_json:
        row = {"token": kind, "step": done.step, "waits_for": done.waits_for, "next": done.next}
        typer.echo(json.dumps(row))
    else:
        _say(stack, kind, done)
    if done.waits_for:
        raise typer.Exit(1)


def _applied(kind: Kind, token: Token, deployment: Deployment) -> bool:
    statuses = ask_statuses(deployment)
    deployed: Token = getattr(deployment.settings.tokens, kind)
    return deployed == token and not late_hosts(deployment, statuses)


def _say(stack: str, kind: Kind, done: Done) -> None:
    typer.echo(f"{'Waits until' if done.waits_for == 'ping8' else 'Next:'} {done.next}.")
    if done.step == "make" or done.waits_for == "ping8":
        typer.echo(
            "The new token is in Secrets Manager (`pulumi stack output token_secrets -s "
            f"{stack}`). When PING8 is ready: ping8 rotate token {kind} --ready --stack {stack}"
        )
    else:
        typer.echo(f"The command is: {engine.up_command(stack)}")
