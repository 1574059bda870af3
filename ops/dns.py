"""`ping8 dns`: records that owners of domains elsewhere must publish, from the settings."""

import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from ops import choice
from ops.doctor.resolver import LookupFailed, Resolver, servers_of
from ops.output import console
from ops.stackfile import read_stack_file
from policy.dns.answers import is_published
from policy.dns.publish import Publication, records_to_publish, zone_text
from policy.settings import Settings, names

_AT_ONCE = 64
"""Questions to DNS at a time."""
_PART = 2048
"""Questions that wait in memory."""

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


def dns(
    stack: str,
    *,
    domains: Sequence[str],
    check: bool,
    zone_file: bool,
    page: Path | None,
    resolvers: Sequence[str],
    as_json: bool,
) -> None:
    """Prints records as table, zone file or page; with `check`, status 1 if one is missing."""
    settings = read_stack_file(stack)
    records = chosen(settings, domains)
    states: Mapping[Publication, str] = {}
    if check:
        states = published(records, servers_of(stack, resolvers))
    if page is not None:
        page.write_text(page_text(records, domains, states), "utf-8")
    if as_json:
        rows = [{**one.as_dict(), "published": states.get(one)} for one in records]
        typer.echo(json.dumps(rows))
    elif zone_file:
        typer.echo(zone_text(records), nl=False)
    elif page is None:
        _show(records, states)
        _say_who_is_held(settings, domains)
    if any(state != "published" for state in states.values()):
        raise typer.Exit(1)


def chosen(settings: Settings, domains: Sequence[str]) -> tuple[Publication, ...]:
    """The records for these sender domains, or for all if none is named."""
    known = [domain.name for domain in settings.domains]
    for name in domains:
        choice.chosen("--domain", name, known)
    records = records_to_publish(settings)
    if not domains:
        return records
    return tuple(
        record for record in records if any(names.lies_in(record.name, one) for one in domains)
    )


def published(records: Sequence[Publication], resolvers: Sequence[str]) -> dict[Publication, str]:
    """The state of each record: published, missing, another value, or why it is unknown."""
    states = asked(records, partial(_state, Resolver(tuple(resolvers))))
    return dict(zip(records, states, strict=True))


def asked(items: Sequence[_Item], question: Callable[[_Item], _Answer]) -> Iterator[_Answer]:
    """Answers in order, asked side by side, with a progress bar on a terminal.

    Whoever stops waiting for answers also ends the questions that have not begun.
    """
    progress = Console(stderr=True)
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE)
    try:
        yield from track(
            chain.from_iterable(pool.map(question, part) for part in _parts(items)),
            description="Asking DNS",
            total=len(items),
            console=progress,
            disable=not progress.is_terminal,
            transient=True,
        )
    finally:
        pool.shutdown(cancel_futures=True)


def _parts(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[start : start + _PART] for start in range(0, len(items), _PART))


def values(resolver: Resolver, record: Publication) -> list[str]:
    """What DNS has for the name and type of a record. Raises `LookupFailed`."""
    if record.type == "TXT":
        return resolver.txt(record.name)
    return resolver.texts(record.name, record.type)


def state(record: Publication, found: Sequence[str]) -> str:
    """Whether a record is among what DNS has, in words."""
    if is_published(record, found):
        return "published"
    return f"another value: {found[0]}" if found else "missing"


def _state(resolver: Resolver, record: Publication) -> str:
    try:
        return state(record, values(resolver, record))
    except LookupFailed as error:
        return f"not known: {error}"


def _show(records: Sequence[Publication], states: Mapping[Publication, str]) -> None:
    if not records:
        typer.echo("Nothing to publish: all records are in Route 53.")
        return
    table = Table.grid(padding=(0, 2))
    for record in records:
        row = (states.get(record, ""), record.name, record.type, record.value)
        table.add_row(*map(Text, row))
    console().print(table)


def _say_who_is_held(settings: Settings, domains: Sequence[str]) -> None:
    held = [
        domain.name
        for domain in settings.domains
        if settings.is_held(domain) and (not domains or domain.name in domains)
    ]
    if held:
        more = f" and {len(held) - 1:,} more" if held[1:] else ""
        typer.echo(
            f"{held[0]}{more} cannot send until `ping8 domains check` has seen the records",
            err=True,
        )


def page_text(
    records: Sequence[Publication], domains: Sequence[str], states: Mapping[Publication, str]
) -> str:
    """One self-contained page for a domain's owner, who does not know ping8."""
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(str(text))}</td>" for text in (r.name, r.type, r.ttl, r.value))
        + (f"<td>{html.escape(states.get(r, 'not known'))}</td>" if states else "")
        + f"</tr><tr class=why><td colspan=5>{html.escape(r.why)}</td></tr>"
        for r in records
    )
    title = html.escape(f"DNS records for {', '.join(domains) or 'your domains'}")
    today = "<th>in DNS" if states else ""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        "<style>body{font:16px system-ui;margin:2em;max-width:70em}td,th{padding:.3em .8em;"
        "text-align:left;word-break:break-all}.why td{color:#555;border-bottom:1px solid #ccc}"
        f"</style><h1>{title}</h1><p>Please add these records to the domain's DNS. Names are "
        "given in full. You do not have to remove anything.</p>"
        f"<table><tr><th>name<th>type<th>TTL<th>value{today}</tr>{rows}</table></html>\n"
    )
