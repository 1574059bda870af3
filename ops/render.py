"""`ping8 render`: every file of a stack, as it would lie on its hosts, to read and validate."""

import datetime
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.stackfile import read_stack_file
from policy.errors import UserError
from policy.release import Release
from policy.render import render_mta, render_proxy
from policy.render.example import example_addresses, throw_away_certificate, throw_away_secrets
from policy.settings import Settings, advice

_MARK = ".ping8-render.json"
"""Names what an earlier run wrote into the folder, and so what this one may replace."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def render(
        stack: Annotated[str, typer.Option("--stack", "-s", help="Whose stack file to read.")],
        out: Annotated[Path, typer.Option("--out", "-o", help="A new folder, or one of ours.")],
    ) -> None:
        """Write every host's files, with example addresses and throw-away keys and tokens."""
        settings = read_stack_file(stack)
        releases = example_releases(settings)
        write(releases, out)
        for release in releases:
            typer.echo(f"{out / release.host}: {len(release.files)} files")
        for line in (
            *map(str, advice.examples_left(settings)),
            *advice.warnings(settings, datetime.date.today()),
        ):
            typer.echo(f"warning: {line}", err=True)
        typer.echo("Addresses are examples; keys and tokens are new ones, good for nothing.")


def example_releases(settings: Settings) -> tuple[Release, ...]:
    """The release of each host; no secret of the stack is in them."""
    settings = throw_away_certificate(settings)
    addresses, secrets = example_addresses(settings), throw_away_secrets(settings)
    proxies = (render_proxy(settings, proxy.name, addresses, secrets) for proxy in settings.proxies)
    return (render_mta(settings, addresses, secrets), *proxies)


def write(releases: Iterable[Release], out: Path) -> None:
    """Each file at `out/<host>/<live path>`, and what else a release says at `out/<host>.json`."""
    releases = tuple(releases)
    _clear(out)
    names = [name for release in releases for name in (release.host, f"{release.host}.json")]
    _create(out / _MARK, json.dumps(names).encode(), 0o644)
    for release in releases:
        for file in release.files:
            path = out / release.host / file.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            _create(path, file.content, file.mode)
        text = json.dumps(_described(release), indent=2, sort_keys=True) + "\n"
        _create(out / f"{release.host}.json", text.encode(), 0o644)


def _clear(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: it is not a folder; name a new or an empty one")
    out.mkdir(parents=True, exist_ok=True)
    mark = out / _MARK
    if not mark.exists():
        if any(out.iterdir()):
            raise UserError(
                f"--out {out}: it holds files that `ping8 render` did not write; "
                "name a new or an empty folder"
            )
        return
    for name in json.loads(mark.read_text("utf-8")):
        path = out / Path(name).name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _create(path: Path, content: bytes, mode: int) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, mode)
        stream.write(content)


def _described(release: Release) -> dict[str, Any]:
    described = asdict(release)
    # Keyed by a throw-away key: it is not the id that a push would have.
    del described["id"]
    for file in described["files"]:
        del file["content"]
        file["mode"] = f"{file['mode']:04o}"
    return described
