"""`ping8 queue`: lists, suspends, resumes and bounces the mail queued on the MTA hosts."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from hostagent.text import printable_line
from ops.nodes import NOT_DONE, ask_all, items, total
from ops.output import clock, confirm, console, duration, operator
from ops.ssh import ssh_json
from ops.stack import HostAccess, read_deployment
from policy.errors import UsageError, UserError

_SHOWN = 30
_UNKNOWN = {"provider": "not tried yet", "source": "not tried yet"}
_NAMES = {"tenant": "brand"}


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """Criteria for messages; all that are set must match."""

    domain: str | None = None
    brand: str | None = None
    campaign: str | None = None
    provider: str | None = None

    def words(self) -> list[str]:
        """As options of the agent."""
        return [
            word
            for f in fields(self)
            if (v := getattr(self, f.name))
            for word in (f"--{f.name}", v)
        ]

    def covers(self, queue: Mapping[str, Any]) -> bool:
        """Whether a queue matches."""
        wanted = ((field.name, getattr(self, field.name)) for field in fields(self))
        return all(value is None or queue[name] == value for name, value in wanted)


def show(stack: str, criteria: Criteria, *, by: str, as_json: bool) -> None:
    """Queues, or groups of them, by size: counts, age, last answer, and suspensions."""
    found = _joined(ask_all(read_deployment(stack).mta_hosts, _listed))
    found["queues"] = [queue for queue in found["queues"] if criteria.covers(queue)]
    rows = grouped(found["queues"], by)
    if as_json:
        typer.echo(json.dumps({**found, "by": by, "groups": rows}))
        return
    waiting = sum(queue["messages"] for queue in found["queues"])
    typer.echo(f"{waiting:,} messages in {len(found['queues'])} queues")
    if rows:
        console().print(_table(rows[:_SHOWN], by))
    if len(rows) > _SHOWN:
        typer.echo(f"and {len(rows) - _SHOWN} more (--json lists all)")
    for name, count in sorted(found["ready"].items(), key=lambda item: -item[1]):
        typer.echo(f"being sent now, {name}: {count:,}")
    for kind, one in _rules(found):
        typer.echo(_rule(kind, one, several=len(found["hosts"]) > 1))


def _rules(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each active suspension or bounce, and its kind."""
    for kind in ("suspended", "bounces"):
        for one in found[kind]:
            yield kind, one


def _rule(kind: str, one: Mapping[str, Any], *, several: bool) -> str:
    meant = ", ".join(
        f"{_NAMES.get(name, name)} {one[name]}"
        for name in ("domain", "tenant", "campaign")
        if one.get(name)
    )
    left = f", {one['duration']} left" if one.get("duration") else ""
    place = f" on {one['host']}" if several else ""
    return f"{kind} {one['id'][:8]}{place}: {meant or 'ALL QUEUES'}: {one['reason']}{left}"


def _alike(kind: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    """What the rules of one command have in common on all hosts; each has its own id."""
    return kind, *(one.get(name) for name in ("domain", "tenant", "campaign", "reason"))


def _listed(access: HostAccess) -> dict[str, Any]:
    """What the agent lists; an older release's agent reports fewer fields."""
    found: dict[str, Any] = ssh_json(access, ["queue", "list"])
    unsaid = {"provider": "", "source": "", "answer": "", "answered": None, "oldest_seconds": None}
    for queue in found["queues"]:
        for name, value in unsaid.items():
            queue.setdefault(name, value)
    return found


def _joined(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The lists of several hosts as one."""
    ready: Counter[str] = Counter()
    for found in answers.values():
        ready.update(found["ready"])
    lists = {key: items(answers, key) for key in ("queues", "suspended", "bounces")}
    return {**lists, "ready": dict(ready), "hosts": list(answers)}


def grouped(queues: Sequence[Mapping[str, Any]], by: str) -> list[dict[str, Any]]:
    """One row for each value of `by`, the fullest first; with `queue`, one for each queue."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for queue in queues:
        groups.setdefault(queue[by] or _UNKNOWN.get(by, "none"), []).append(queue)
    rows = [_row(name, members) for name, members in groups.items()]
    return sorted(rows, key=lambda row: -int(row["messages"]))


def _row(name: str, members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    ages = [one["oldest_seconds"] for one in members if one["oldest_seconds"] is not None]
    last = max(members, key=lambda one: one["answered"] or 0)
    return {
        "name": name,
        "queues": len(members),
        "messages": sum(one["messages"] for one in members),
        "oldest_seconds": max(ages, default=None),
        "suspended": sum(bool(one["suspended"]) for one in members),
        "answer": last["answer"],
        "answered": last["answered"],
    }


def _table(rows: Sequence[Mapping[str, Any]], by: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("messages", justify="right")
    table.add_column("oldest", justify="right", no_wrap=True)
    table.add_column(by, overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("last answer", overflow="fold")
    for row in rows:
        age = row["oldest_seconds"]
        held = row["suspended"]
        state = f"{held} of {row['queues']} suspended" if row["queues"] > 1 else "suspended"
        answer = f"{clock(row['answered'])} {row['answer']}" if row["answer"] else ""
        words = (
            f"{row['messages']:,}",
            "" if age is None else duration(age),
            row["name"],
            state if held else "",
            printable_line(answer),
        )
        table.add_row(*map(Text, words))
    return table


def act(
    stack: str,
    kind: str,
    criteria: Criteria,
    *,
    reason: str,
    for_: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Suspends or bounces what matches, once the operator has seen how much that is."""
    if not criteria.words():
        raise UsageError(
            f"{kind}: without criteria it would affect every queue; set --provider, --domain, "
            "--brand or --campaign"
        )
    hosts = read_deployment(stack).mta_hosts
    found = _joined(ask_all(hosts, _listed))
    meant = [queue for queue in found["queues"] if criteria.covers(queue)]
    if not meant:
        raise UserError(f"{kind}: no queue matches {' '.join(criteria.words())}")
    count = sum(queue["messages"] for queue in meant)
    what = {
        "suspend": f"{count:,} messages in {len(meant)} queues will be suspended for {for_}, "
        "including new ones. A restart of kumod ends it.",
        "bounce": f"{count:,} messages in {len(meant)} queues WILL BE BOUNCED PERMANENTLY, with an "
        f"AdminBounce event for each; new ones too, for {for_}.",
    }[kind]
    confirm(what, yes=yes)
    verb = ["queue", kind, *criteria.words(), "--reason", reason, "--for", for_]
    verb += ["--by", operator()]
    # New mail may come to each host, so it holds on all of them.
    answers = ask_all(hosts, lambda host: ssh_json(host, verb), without=NOT_DONE)
    each = [done.get("ids") or [done["id"]] for done in answers.values()]
    ids = [one for some in each for one in some]
    count = total(answers.values(), "messages")
    if as_json:
        typer.echo(json.dumps({"ids": ids, "messages": count, "hosts": answers}))
        return
    typer.echo(f"{kind} is active for {for_}: {count:,} messages")
    # Of one host: an id ends it on all.
    for one in each[0]:
        typer.echo(f"To end it: ping8 queue resume {one[:8]} --stack {stack}")


def resume(stack: str, which: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Ends a suspension, or a bounce for new mail, on every host, once the operator has seen it."""
    hosts = {host.name: host for host in read_deployment(stack).mta_hosts}
    rules = list(_rules(_joined(ask_all([*hosts.values()], _listed))))
    wanted = {_alike(kind, one) for kind, one in rules if one["id"].startswith(which)}
    meant = [(kind, one) for kind, one in rules if _alike(kind, one) in wanted]
    if not meant:
        raise UserError(f"{which}: no suspension or bounce has an id that begins with this")
    lines = [_rule(kind, one, several=len(hosts) > 1) for kind, one in meant]
    confirm("\n".join(["This ends:", *lines]), yes=yes)
    words = ["--reason", reason, "--by", operator()]
    done = [
        ssh_json(hosts[one["host"]], ["queue", "resume", "--id", one["id"], *words])
        for _, one in meant
    ]
    if as_json:
        typer.echo(json.dumps({**done[0], "all": [each["resumed"] for each in done]}))
        return
    for each in done:
        typer.echo(f"{each['was']} {each['resumed'][:8]} has ended")
    if any(each["was"] == "suspend" for each in done):
        typer.echo("Each message is sent at its next attempt, by the brand's retry interval.")
