"""`ping8 drain`: takes an MTA host out of service, and hands over what it holds."""

import itertools
import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ops.output import confirm, console, duration, operator
from ops.ssh import ssh_json
from ops.stack import Deployment, HostAccess, read_deployment
from policy.errors import UserError

_EACH = 2.0
_LIMIT = 120.0
_LOST = 5
"""So many steps in a row may fail: the host may be restarting."""
_REFRESH = 15
"""After so many steps it asks again who can take over: another node may drain by now."""
_WINDOW = 30
_CANCELS = 10
_COUNTS = {
    "mail": "messages queued",
    "sending": "being sent",
    "leaving": "on their way to other nodes",
    "events": "events queued",
    "segments": "outbox segments",
    "busy": "requests in flight",
}


@dataclass
class Estimate:
    """How long a drain still takes, from how fast the last counts fell."""

    seen: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    def add(self, moment: float, counts: Mapping[str, int]) -> None:
        """What is left at a moment (monotonic seconds)."""
        self.seen.append((moment, sum(counts[name] for name in ("mail", *_MOVING))))

    def seconds(self) -> float | None:
        """None while nothing is known, or the counts do not fall."""
        if len(self.seen) < 2:
            return None
        (began, most), (now, left) = self.seen[0], self.seen[-1]
        return left * (now - began) / (most - left) if most > left else None


_MOVING = ("sending", "leaving", "events")


def drain(stack: str, name: str, *, reason: str, last_node: bool, yes: bool, as_json: bool) -> None:
    """Marks the host, and repeats its steps until it holds nothing."""
    deployment = read_deployment(stack)
    access = mta_host(deployment, name)
    others = [host for host in deployment.mta_hosts if host.name != name]
    able, unable = ready(others)
    if not able and not last_node:
        why = f" ({'; '.join(unable)})" if unable else ""
        raise UserError(
            f"{name}: no other MTA host can take injections{why}; PING8 could send nothing until "
            "you take the drain back. --last-node does it anyway"
        )
    for why in unable if able else ():
        typer.echo(f"ping8: warning: {why}; it takes nothing over", err=True)
    confirm(_meaning(name, able), yes=yes)
    answer = empty(access, others, reason=reason, quiet=as_json)
    typer.echo(json.dumps(answer) if as_json else f"{name} is empty. {_next(stack, name)}")


def empty(
    access: HostAccess, others: Sequence[HostAccess], *, reason: str, quiet: bool
) -> Mapping[str, Any]:
    """Drains a host until nothing is left on it; the last answer of its agent, and the seconds."""
    began = time.monotonic()
    at_once = [] if others else ["--at-once"]
    words = ["drain", "begin", "--by", operator(), "--reason", reason, *at_once]
    ssh_json(access, words)
    try:
        if quiet or not sys.stdout.isatty():
            last = _in_lines(access, others, quiet=quiet)
        else:
            last = _on_terminal(access, others)
    except KeyboardInterrupt:
        typer.echo(
            f"\n{access.name} keeps draining, but no more queues are transferred. `ping8 drain "
            f"{access.name}` continues, and with --back takes it back.",
            err=True,
        )
        raise
    return {**last, "seconds": round(time.monotonic() - began, 1)}


def take_back(stack: str, name: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """The host takes injections again; what has not left it yet stays."""
    access = mta_host(read_deployment(stack), name)
    confirm(f"{name} takes injections again; mail that has not left it yet stays on it.", yes=yes)
    answer = undo(access, reason)
    if as_json:
        typer.echo(json.dumps(answer))
        return
    if answer["counts"] is None:
        typer.echo(
            f"{name} drains no more, and takes injections when kumod answers ({answer['waits']}). "
            "Run this again then: it cancels transfers that have begun."
        )
        return
    typer.echo(f"{name} takes injections again.")
    if left := answer["counts"]["leaving"]:
        typer.echo(
            f"{left:,} messages are still on their way to other nodes. "
            "Run this again to keep them here."
        )


def undo(access: HostAccess, reason: str) -> Any:
    """Removes the marks and cancels transfers: kumod cancels what is queued at that moment."""
    words = ["drain", "back", "--by", operator(), "--reason", reason]
    answer = ssh_json(access, words)
    for _ in range(_CANCELS):
        if answer["counts"] and not answer["counts"]["leaving"]:
            break
        time.sleep(_EACH)
        answer = ssh_json(access, words)
    return answer


def mta_host(deployment: Deployment, name: str) -> HostAccess:
    """An MTA host by name."""
    access = deployment.host(name)
    if access.role != "mta":
        raise UserError(
            f"{name}: only an MTA host can be drained; mail waits while a proxy is away"
        )
    return access


def ready(others: Sequence[HostAccess]) -> tuple[list[HostAccess], list[str]]:
    """The hosts that can take over, and why the others cannot."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        reasons = list(pool.map(_why_not, others))
    able = [host for host, why in zip(others, reasons, strict=True) if not why]
    return able, [why for why in reasons if why]


def _why_not(host: HostAccess) -> str:
    """Why a host cannot take over, or nothing."""
    try:
        found = ssh_json(host, ["drain", "show"])
    except UserError as error:
        return str(error)
    if found["draining"]:
        return f"{host.name} {since(found['draining'])}"
    return "" if found["healthy"] else f"{host.name} is unhealthy"


def since(mark: Mapping[str, Any]) -> str:
    """Who drains a host, and since when."""
    moment = time.strftime("%F %H:%M UTC", time.gmtime(mark["since"]))
    reason = f": {mark['reason']}" if mark["reason"] else ""
    return f"drains since {moment} by {mark['by']}{reason}"


def _meaning(name: str, able: Sequence[HostAccess]) -> str:
    if able:
        to = ", ".join(host.name for host in able)
        return f"{name} leaves the balancer and refuses injections; its mail and events go to {to}."
    return (
        f"{name} refuses injections: PING8 CAN SEND NOTHING until you take the drain back. No "
        "other node can take its mail: it is empty only when all of it is sent or has expired."
    )


def _next(stack: str, name: str) -> str:
    return f"It refuses injections until `ping8 drain {name} --back --stack {stack}`."


def _steps(access: HostAccess, others: Sequence[HostAccess]) -> Iterator[Mapping[str, Any]]:
    """Each step's answer; the last one is done."""
    able, _ = ready(others)
    lost = 0
    for number in itertools.count(1):
        words = [word for host in able for word in ("--to", host.private_address)]
        try:
            answer = ssh_json(access, ["drain", "step", *words], limit=_LIMIT)
        except UserError as error:
            lost += 1
            if lost == _LOST:
                raise UserError(
                    f"{error}; it keeps draining, and `ping8 drain {access.name}` continues"
                ) from None
            answer = {"counts": None, "waits": str(error), "done": False, "away": []}
        else:
            lost = 0
            if answer["draining"] is None:
                raise UserError(f"{access.name}: somebody took the drain back")
        yield answer
        if answer["done"]:
            return
        if answer["away"] or not able or number % _REFRESH == 0:
            able, _ = ready(others)
        time.sleep(_EACH)


def _in_lines(
    access: HostAccess, others: Sequence[HostAccess], *, quiet: bool
) -> Mapping[str, Any]:
    """One line for each change."""
    estimate, before = Estimate(), ""
    answer: Mapping[str, Any] = {}
    for answer in _steps(access, others):
        if answer["counts"]:
            estimate.add(time.monotonic(), answer["counts"])
        line = progress(answer)
        if not quiet and line != before:
            typer.echo(f"{access.name}: {line}{_left(estimate)}")
            before = line
    return answer


def _on_terminal(access: HostAccess, others: Sequence[HostAccess]) -> Mapping[str, Any]:
    """A table that is replaced with each step."""
    estimate = Estimate()
    answer: Mapping[str, Any] = {}
    with Live(auto_refresh=False, console=console()) as live:
        for answer in _steps(access, others):
            if answer["counts"]:
                estimate.add(time.monotonic(), answer["counts"])
            live.update(_table(access.name, answer, estimate), refresh=True)
    return answer


def progress(answer: Mapping[str, Any]) -> str:
    """What a host still holds, and what its drain waits for."""
    counts = answer["counts"] or {}
    held = [f"{counts[name]:,} {words}" for name, words in _COUNTS.items() if counts.get(name)]
    parts = [", ".join(held)] if held else []
    if answer["waits"]:
        parts.append(f"waits for {answer['waits']}")
    if answer["away"]:
        parts.append(f"no connection to {', '.join(answer['away'])}")
    return "; ".join(parts) or "nothing left"


def _left(estimate: Estimate) -> str:
    seconds = estimate.seconds()
    return f"; about {duration(seconds)} left" if seconds else ""


def _table(name: str, answer: Mapping[str, Any], estimate: Estimate) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    counts = answer["counts"] or {}
    for key, words in _COUNTS.items():
        if key in counts:
            table.add_row(f"{counts[key]:,}", words)
    waits = f"waits for {answer['waits']}" if answer["waits"] else "is empty"
    table.add_row(Text(name, style="bold"), Text(f"{waits}{_left(estimate)}"))
    return table
