"""`ping8 doctor`: whether mail will arrive, and what to do if not."""

import datetime
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress

from ops import output
from ops.doctor import plan
from ops.doctor.answers import Answers
from ops.doctor.bulk import bulk_senders
from ops.doctor.case import Case, Options
from ops.doctor.examination import examine
from ops.doctor.finding import Finding, exit_status
from ops.doctor.launch import before_launch, needs_of_a_push
from ops.doctor.page import page
from ops.doctor.report import as_data, changes
from ops.doctor.resolver import Resolver, servers_of
from ops.doctor.terminal import show
from ops.local import local_stack
from ops.ssh import ssh_json
from ops.stack import Deployment, HostAccess, read_deployment
from ops.stackfile import STACKS, read_stack_file
from policy.errors import UserError

COULD_NOT_CHECK = 3
_WATCH_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What an operator asked the doctor for."""

    only: Sequence[str] = ()
    domains: Sequence[str] = ()
    as_json: bool = False
    html: Path | None = None
    watch: bool = False
    every: bool = False
    launch: bool = False
    test_event: bool = False
    exchanger: str | None = None
    block_lists: Sequence[str] = ()
    resolvers: Sequence[str] = ()
    authoritative: bool = False
    ca_file: Path | None = None
    timeout: float = 60.0


def doctor(stack: str, wishes: Wishes) -> None:
    """Checks a live deployment. Status: 0 ok, 1 warnings, 2 failures, 3 could not check."""
    if wishes.launch:
        typer.echo(_checklist(stack, wishes))
        return
    try:
        deployment = read_deployment(stack)
        doctor_settings = deployment.settings.doctor
        options = plan.checked(
            Options(
                folder=_checkout(),
                exchanger=wishes.exchanger or doctor_settings.exchanger,
                block_lists=tuple(wishes.block_lists or doctor_settings.block_lists),
                ca_file=_authorities(stack, wishes),
                test_event=wishes.test_event,
                authoritative=wishes.authoritative,
                only=tuple(wishes.only),
                domains=tuple(wishes.domains),
            ),
            deployment,
        )
        servers = servers_of(stack, wishes.resolvers)
        _writable(wishes.html)

        def once() -> list[Finding]:
            return look(deployment, options, servers, seconds=wishes.timeout)

        findings = once()
    except UserError as error:
        # A status of 2 would mean that mail fails, which was not checked.
        print(f"ping8: {error}", file=sys.stderr)  # noqa: T201 - the command's own voice
        raise typer.Exit(COULD_NOT_CHECK) from None

    console = output.console()
    _report(findings, deployment, console, wishes)
    if wishes.watch:
        findings = _watch(findings, once, console, pause=time.sleep)
    raise typer.Exit(exit_status(findings))


def look(
    deployment: Deployment, options: Options, servers: tuple[str, ...], *, seconds: float
) -> list[Finding]:
    """One whole examination, within `seconds`; a terminal's standard error shows its progress."""

    def agent(host: HostAccess, verb: Sequence[str]) -> object:
        return ssh_json(host, verb, limit=seconds)

    resolver = Resolver(servers)
    case = Case(deployment=deployment, options=options, resolver=resolver, ask=Answers(agent))
    todo = plan.tasks(case)
    console = Console(stderr=True)
    with Progress(transient=True, console=console, disable=not console.is_terminal) as bar:
        row = bar.add_task("checking", total=len(todo))
        findings = examine(
            todo,
            seconds=seconds,
            progress=lambda done, _total: bar.update(row, completed=done),
        )
    lines = bulk_senders(findings, plan.senders(case))
    accepted = deployment.settings.doctor.accepted
    return [
        finding.accepted(accepted)
        for finding in [*findings, *lines]
        if options.wants(finding.check)
    ]


def _report(
    findings: list[Finding],
    deployment: Deployment,
    console: Console,
    wishes: Wishes,
) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    if wishes.html:
        try:
            wishes.html.write_text(page(findings, deployment, when=now), "utf-8")
        except OSError as error:
            raise UserError(f"--html {wishes.html}: {error.strerror}") from None
    if wishes.as_json:
        typer.echo(json.dumps(as_data(findings, stack=deployment.stack, when=now), indent=1))
    else:
        show(findings, console, every=wishes.every)


def _watch(
    findings: list[Finding],
    once: Callable[[], list[Finding]],
    console: Console,
    *,
    pause: Callable[[float], None],
) -> list[Finding]:
    """Prints differences until the operator interrupts; returns the last findings."""
    try:
        while True:
            pause(_WATCH_SECONDS)
            fresh = once()
            different = changes(findings, fresh)
            if different:
                console.rule(datetime.datetime.now(datetime.UTC).strftime("%H:%M:%S UTC"))
                show(different, console, every=True)
            findings = fresh
    except KeyboardInterrupt:
        return findings


def _checklist(stack: str, wishes: Wishes) -> str:
    """From the stack's outputs, or before the first `pulumi up` from its file."""
    deployment = None
    try:
        deployment = read_deployment(stack)
        settings = deployment.settings
    except UserError:
        settings = read_stack_file(stack)
    needs = needs_of_a_push(
        settings,
        Resolver(servers_of(stack, wishes.resolvers)),
        ca_file=_authorities(stack, wishes),
        seconds=wishes.timeout,
    )
    return before_launch(stack, settings, deployment, needs)


def _authorities(stack: str, wishes: Wishes) -> str | None:
    local = local_stack(stack)
    return _readable(wishes.ca_file) or (local.authorities if local else None)


def _checkout() -> Path:
    """The checkout that holds the stack files: the current folder, or that of this program."""
    here = Path.cwd()
    return here if (here / "Pulumi.yaml").exists() else STACKS.parent


def _readable(path: Path | None) -> str | None:
    if path is not None and not path.is_file():
        raise UserError(f"--ca-file {path}: no such file; name a file of certificates in PEM")
    return str(path) if path else None


def _writable(page_file: Path | None) -> None:
    if page_file is not None and not page_file.resolve().parent.is_dir():
        raise UserError(f"--html {page_file}: no such folder")
