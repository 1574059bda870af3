"""`ping8 doctor`: whether mail will arrive, and what to do if not."""

import datetime
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from ops.doctor import plan
from ops.doctor.bulk import bulk_senders
from ops.doctor.examination import examine
from ops.doctor.finding import Finding, exit_status
from ops.doctor.launch import before_launch
from ops.doctor.page import page
from ops.doctor.report import as_data, changes
from ops.doctor.resolver import Resolver, endpoint
from ops.doctor.terminal import show
from ops.ssh import ssh_json
from ops.stack import Deployment, HostAccess, read_deployment
from ops.stackfile import STACKS, read_stack_file
from policy.errors import UserError

COULD_NOT_CHECK = 3
_WATCH_SECONDS = 30


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(doctor)


def doctor(
    stack: Annotated[str, typer.Option(help="The environment.")],
    only: Annotated[
        list[str] | None, typer.Option(help="Check or group to look at: domain.spf, egress.")
    ] = None,
    domain: Annotated[
        list[str] | None, typer.Option(help="Sender domain to look at; all unless given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/doctor.md).")] = False,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and print what changes.")] = False,
    every: Annotated[bool, typer.Option("--all", help="List what passed, too.")] = False,
    launch: Annotated[
        bool, typer.Option("--before-launch", help="The checklist for a new environment.")
    ] = False,
    test_event: Annotated[
        bool, typer.Option("--test-event", help="Send PING8 a marked test event.")
    ] = False,
    exchanger: Annotated[
        str | None, typer.Option(help="Mail exchanger, or a domain with MX, that is dialled.")
    ] = None,
    block_list: Annotated[
        list[str] | None, typer.Option(help="DNS block list to ask; mind its terms.")
    ] = None,
    resolver: Annotated[
        list[str] | None,
        typer.Option(help="DNS server, ADDRESS[:PORT]; the system's unless given."),
    ] = None,
    authoritative: Annotated[
        bool, typer.Option("--authoritative", help="Compare all authoritative name servers, too.")
    ] = False,
    ca_file: Annotated[Path | None, typer.Option(help="Further trusted authorities, PEM.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for all checks.", min=1)] = 60.0,
) -> None:
    """Checks a live deployment: status 0 well, 1 warnings, 2 failures, 3 could not check."""
    if launch:
        typer.echo(_checklist(stack))
        return
    try:
        deployment = read_deployment(stack)
        doctor_settings = deployment.settings.doctor
        options = plan.checked(
            plan.Options(
                folder=_checkout(),
                exchanger=exchanger or doctor_settings.exchanger,
                block_lists=tuple(block_list or doctor_settings.block_lists),
                ca_file=_readable(ca_file),
                test_event=test_event,
                authoritative=authoritative,
                only=tuple(only or ()),
                domains=tuple(domain or ()),
            ),
            deployment,
        )
        servers = _servers(resolver or [])
        _writable(html)
    except UserError as error:
        # A status of 2 would say that mail fails, which nobody has looked at.
        print(f"ping8: {error}", file=sys.stderr)  # noqa: T201 - the command's own voice
        raise typer.Exit(COULD_NOT_CHECK) from None

    def once() -> list[Finding]:
        return look(deployment, options, servers, seconds=timeout)

    console = Console()
    findings = once()
    _report(findings, deployment, console, as_json=as_json, html=html, every=every)
    if watch:
        findings = _watch(findings, once, console, pause=time.sleep)
    raise typer.Exit(exit_status(findings))


def look(
    deployment: Deployment, options: plan.Options, servers: tuple[str, ...], *, seconds: float
) -> list[Finding]:
    """One whole examination, within `seconds`; a terminal's standard error shows its progress."""

    def agent(host: HostAccess, verb: Sequence[str]) -> object:
        return ssh_json(host, verb, limit=seconds)

    todo = plan.tasks(deployment, options, Resolver(servers), agent)
    console = Console(stderr=True)
    with Progress(transient=True, console=console, disable=not console.is_terminal) as bar:
        row = bar.add_task("checking", total=len(todo))
        findings = examine(
            todo,
            seconds=seconds,
            progress=lambda done, _total: bar.update(row, completed=done),
        )
    lines = bulk_senders(findings, plan.senders(deployment, options))
    return [finding for finding in [*findings, *lines] if options.wants(finding.check)]


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
        try:
            html.write_text(page(findings, deployment, when=now), "utf-8")
        except OSError as error:
            raise UserError(f"--html {html}: {error.strerror}") from None
    if as_json:
        typer.echo(json.dumps(as_data(findings, stack=deployment.stack, when=now), indent=1))
    else:
        show(findings, console, every=every)


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


def _checklist(stack: str) -> str:
    """From the stack's outputs, or before the first `pulumi up` from its file."""
    try:
        deployment = read_deployment(stack)
    except UserError:
        return before_launch(stack, read_stack_file(stack), None)
    return before_launch(stack, deployment.settings, deployment)


def _checkout() -> Path:
    """The checkout that holds the stack files: where we stand, or that of this program."""
    here = Path.cwd()
    return here if (here / "Pulumi.yaml").exists() else STACKS.parent


def _readable(path: Path | None) -> str | None:
    if path is not None and not path.is_file():
        raise UserError(f"--ca-file {path}: no such file; name a file of certificates in PEM")
    return str(path) if path else None


def _writable(page_file: Path | None) -> None:
    if page_file is not None and not page_file.resolve().parent.is_dir():
        raise UserError(f"--html {page_file}: there is no such folder")


def _servers(given: list[str]) -> tuple[str, ...]:
    for server in given:
        try:
            endpoint(server)
        except ValueError:
            raise UserError(
                f"--resolver {server}: write an IPv4 address, such as 192.0.2.53 or 192.0.2.53:5353"
            ) from None
    return tuple(given)
