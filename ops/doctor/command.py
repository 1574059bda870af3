"""`ping8 doctor`: whether mail will arrive, and what to do if not."""

import datetime
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from ops.doctor import plan
from ops.doctor.bulk import bulk_senders
from ops.doctor.examination import Task, examine
from ops.doctor.finding import Finding, exit_status, worst_first
from ops.doctor.launch import before_launch
from ops.doctor.page import page
from ops.doctor.resolver import Resolver
from ops.doctor.terminal import show
from ops.ssh import ssh_json
from ops.stack import Deployment, read_deployment


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(doctor)


def doctor(
    stack: Annotated[str, typer.Option(help="The environment.")],
    only: Annotated[
        list[str] | None, typer.Option(help="Checks or groups to show, such as domain.spf, egress.")
    ] = None,
    domain: Annotated[list[str] | None, typer.Option(help="Sender domains to check.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON (report.schema.json).")] = False,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page.")] = None,
    watch: Annotated[bool, typer.Option(help="Go on, and print what changes.")] = False,
    every: Annotated[bool, typer.Option("--all", help="List what passed, too.")] = False,
    launch: Annotated[
        bool, typer.Option("--before-launch", help="The checklist for a new environment.")
    ] = False,
    test_event: Annotated[bool, typer.Option(help="Send PING8 a marked test event.")] = False,
    exchanger: Annotated[str, typer.Option(help="Domain whose MX is dialled.")] = "gmail.com",
    block_list: Annotated[
        list[str] | None, typer.Option(help="DNS block list to ask; mind its terms.")
    ] = None,
    resolver: Annotated[
        list[str] | None, typer.Option(help="DNS server, with an optional port.")
    ] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Further trusted authority, PEM.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for all checks.")] = 60.0,
) -> None:
    """Checks a live deployment: 0 well, 1 warnings, 2 failures, 3 could not check."""
    console = Console()
    deployment = read_deployment(stack)
    if launch:
        console.print(before_launch(deployment), markup=False, highlight=False)
        return
    options = plan.Options(
        folder=Path.cwd(),
        exchanger=exchanger,
        block_lists=tuple(block_list or ()),
        ca_file=str(ca_file) if ca_file else None,
        test_event=test_event,
        domains=tuple(domain or ()),
    )
    servers = tuple(resolver or ())

    def once() -> list[Finding]:
        todo = plan.tasks(deployment, options, Resolver(servers), ssh_json)
        return _chosen(_examine(todo, timeout, quiet=as_json), only or [])

    findings = once()
    _report(findings, deployment, console, as_json=as_json, html=html, every=every)
    if watch:
        _watch(findings, once, console)
    raise typer.Exit(exit_status(findings))


def _examine(todo: list[Task], timeout: float, *, quiet: bool) -> list[Finding]:
    with Progress(transient=True, disable=quiet, console=Console(stderr=True)) as bar:
        row = bar.add_task("checking", total=len(todo))
        findings = examine(
            todo,
            seconds=timeout,
            progress=lambda done, _total: bar.update(row, completed=done),
        )
    return [*findings, *bulk_senders(findings)]


def _chosen(findings: list[Finding], only: list[str]) -> list[Finding]:
    return [f for f in findings if not only or f.check in only or f.text.group in only]


def _report(
    findings: list[Finding],
    deployment: Deployment,
    console: Console,
    *,
    as_json: bool,
    html: Path | None,
    every: bool,
) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    if html:
        html.write_text(page(findings, deployment, when=now), "utf-8")
    if as_json:
        typer.echo(json.dumps(as_data(findings, deployment.stack, now), indent=1))
    else:
        show(findings, console, every=every)


def as_data(findings: list[Finding], stack: str, when: str) -> dict[str, object]:
    """The report as `report.schema.json` describes it."""
    return {
        "stack": stack,
        "time": when,
        "exit_status": exit_status(findings),
        "findings": [
            {
                "check": finding.check,
                "group": finding.text.group,
                "subject": finding.subject,
                "status": str(finding.status),
                "title": finding.text.title,
                "saw": finding.saw,
                "expected": finding.expected,
                "why": finding.text.why,
                "mend": finding.mend,
            }
            for finding in worst_first(findings)
        ],
    }


def changes(before: list[Finding], after: list[Finding]) -> list[Finding]:
    """What is new or has another status than before."""
    old = {finding.key: finding.status for finding in before}
    return [finding for finding in after if old.get(finding.key) is not finding.status]


def _watch(findings: list[Finding], once: Callable[[], list[Finding]], console: Console) -> None:
    while True:
        time.sleep(30)
        fresh = once()
        different = changes(findings, fresh)
        if different:
            console.rule(datetime.datetime.now(datetime.UTC).strftime("%H:%M:%S UTC"))
            show(different, console, every=True)
        findings = fresh
