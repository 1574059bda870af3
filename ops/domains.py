"""`ping8 domains check`: asks DNS which sender domains are ready, and keeps the answers."""

import datetime
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import typer
from rich.table import Table
from rich.text import Text

from hostagent import durable
from ops import engine
from ops.dns import asked, page_text, state, values
from ops.doctor.resolver import LookupFailed, Resolver, servers_of
from ops.journal import Journal
from ops.output import console
from ops.stackfile import STACKS, read_stack_file
from policy.dns import answers
from policy.dns.answers import Answer
from policy.dns.publish import Publication
from policy.errors import UserError
from policy.settings import Settings
from policy.settings.domains import SenderDomain

_SHOWN = 20
"""Domains that a terminal shows."""

State = Literal["ready", "incomplete", "pending", "not known"]
STATES: tuple[State, ...] = ("ready", "incomplete", "pending", "not known")
"""Everything is published; what mail needs is; something needed is missing; DNS did not answer."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A sender domain with the records that others publish for it, and what DNS has of them."""

    domain: SenderDomain
    records: tuple[Publication, ...]
    answer: Answer | None
    needs: tuple[str, ...]
    """The needed records that DNS does not have, as far as is known."""

    @property
    def state(self) -> State:
        """How far its owner is."""
        if not self.needs:
            return "incomplete" if self.missing else "ready"
        seen = self.answer.seen if self.answer else {}
        return "pending" if any(key in seen for key in self.needs) else "not known"

    @property
    def missing(self) -> dict[Publication, str]:
        """What is not published, each with its state."""
        return {record: text for record, text in self.states.items() if text != "published"}

    @property
    def states(self) -> dict[Publication, str]:
        """The state of each record."""
        found = {}
        for record in self.records:
            known = self.answer.values(record) if self.answer else None
            found[record] = "not known" if known is None else state(record, known)
        return found


def check(
    stack: str,
    *,
    every: bool,
    pages: Path | None,
    resolvers: Sequence[str],
    as_json: bool,
    directory: Path = STACKS,
) -> None:
    """Asks, keeps and shows the answers; status 1 if a needed record is not in DNS."""
    settings = read_stack_file(stack, directory)
    resolver = Resolver(servers_of(stack, resolvers))
    file = answers.file_of(settings.environment, directory)
    failures = _ask(settings, file, resolver, every=every)
    found = tuple(_standings(settings, answers.read(file)))
    shown = [one for one in found if every or one.state != "ready"]
    if pages is not None:
        _write_pages(shown, pages)
    if as_json:
        typer.echo(json.dumps(_data(found, shown, file)))
    else:
        _show(settings, found, shown)
        _say_what_follows(settings, found, failures)
    if any(one.needs for one in found):
        raise typer.Exit(1)


def _standings(settings: Settings, known: Mapping[str, Answer]) -> Iterator[Standing]:
    for domain in settings.domains:
        answer = known.get(domain.name)
        yield Standing(
            domain=domain,
            records=answers.questions(settings, domain),
            answer=answer,
            needs=answers.missing(settings, domain, answer),
        )


def _ask(settings: Settings, file: Path, resolver: Resolver, *, every: bool) -> list[str]:
    """Asks for what is not published yet, and writes the answers. Returns why some are unknown."""
    failures: list[str] = []
    with Journal(file) as journal:
        before = {**answers.read(file), **journal.answers}
        found = {one.name: before[one.name] for one in settings.domains if one.name in before}
        todo = [
            one
            for one in _standings(settings, found)
            if one.records and not journal.has_just_asked(one.domain.name)
            if every or one.state != "ready"
        ]
        if todo and not resolver.answers():
            raise UserError(
                "no DNS server answers, so nothing was asked: name one with --resolver ADDRESS"
            )
        try:
            for answer, failure in asked(todo, partial(_question, resolver)):
                if answer.seen:
                    found[answer.domain] = answer
                if failure:
                    failures.append(failure)
                else:
                    journal.add(answer)
        finally:
            content = answers.text_of(found.values()).encode()
            if content or file.exists():
                durable.write_bytes(file, content, mode=0o644)
        journal.remove()
    return failures


def _question(resolver: Resolver, one: Standing) -> tuple[Answer, str | None]:
    """What DNS has for a domain now; where it gives no answer, what it had before."""
    name, before = one.domain.name, one.answer.seen if one.answer else {}
    records = {answers.key_of(name, record): record for record in one.records}
    seen = {key: before[key] for key in records if key in before}
    failure = None
    for key, record in records.items():
        try:
            seen[key] = values(resolver, record)
        except LookupFailed as error:
            failure = str(error)
            break
    today = datetime.datetime.now(datetime.UTC).date()
    since = one.answer.since if one.answer and seen == before else today
    ordered = {key: seen[key] for key in records if key in seen}
    return Answer(domain=name, since=since, seen=ordered), failure


def _write_pages(shown: Sequence[Standing], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in shown:
        own = [record for record in one.records if record.type != "SOA"]
        if own:
            text = page_text(own, [one.domain.name], one.states)
            (folder / f"{one.domain.name}.html").write_text(text, "utf-8")


def _data(found: Sequence[Standing], shown: Sequence[Standing], file: Path) -> dict[str, object]:
    count = Counter(one.state for one in found)
    return {
        "file": str(file),
        "count": {name: count[name] for name in STATES},
        "domains": [
            {
                "domain": one.domain.name,
                "brand": one.domain.brand,
                "state": one.state,
                "since": str(one.answer.since) if one.answer else None,
                "records": [
                    {**record.as_dict(), "published": text} for record, text in one.states.items()
                ],
            }
            for one in shown
        ],
    }


def _show(settings: Settings, found: Sequence[Standing], shown: Sequence[Standing]) -> None:
    """A line for each brand, then one for each domain that is not ready."""
    table = Table.grid(padding=(0, 2))
    table.add_row("brand", "domains", *STATES)
    for brand in settings.brands:
        count = Counter(one.state for one in found if one.domain.brand == brand.name)
        if count:
            table.add_row(brand.name, str(count.total()), *(str(count[name]) for name in STATES))
    output = console()
    output.print(table)
    most = _SHOWN if output.is_terminal else len(shown)
    ordered = sorted(shown, key=lambda one: -STATES.index(one.state))
    lines = Table.grid(padding=(0, 2))
    for one in ordered[:most]:
        lines.add_row(*map(Text, (one.state, one.domain.name, one.domain.brand, _gaps(one))))
    if ordered:
        output.print(lines)
    if len(ordered) > most:
        output.print(f"and {len(ordered) - most:,} more: --json lists all")


def _gaps(one: Standing) -> str:
    """What is not published, with names as in the file of answers."""
    keys: dict[str, list[str]] = {}
    for record, text in one.missing.items():
        keys.setdefault(text, []).append(answers.key_of(one.domain.name, record))
    return "; ".join(f"{text}: {', '.join(names)}" for text, names in keys.items())


def _say_what_follows(
    settings: Settings, found: Sequence[Standing], failures: Sequence[str]
) -> None:
    if failures:
        typer.echo(
            f"No answer for {_domains(len(failures))}, such as {failures[0]}; earlier answers "
            "stay: run this again"
        )
    now = {one.domain.name for one in found if one.needs}
    ready, gone = len(settings.unpublished - now), len(now - settings.unpublished)
    if ready or gone:
        typer.echo(
            f"Since the last check {_domains(ready)} became ready to send, {gone:,} no longer are: "
            f"`{engine.up_command(settings.environment)}` applies it"
        )


def _domains(count: int) -> str:
    return "1 domain" if count == 1 else f"{count:,} domains"
