"""`ping8 render`: every file of a stack as it would be on its hosts, to read and validate."""

import datetime
import difflib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from ops.local import local_stack
from ops.ssh import ssh_json
from ops.stack import Deployment, read_deployment
from ops.stackfile import read_stack_file
from policy.addresses import Address, Addresses
from policy.errors import UserError
from policy.release import Release, ReleaseFile
from policy.render.check import example_releases, releases_with
from policy.render.example import example_addresses
from policy.settings import Settings, advice

_MARK = ".ping8-render.json"
"""Names what an earlier run wrote into the folder, and so what this one may replace."""

_HOST = re.compile(r"[a-z0-9][a-z0-9-]*(\.json)?")


def render(stack: str, out: Path | None, *, diff: bool) -> None:
    """Write every host's files; with `diff`, show what changed since the folder was written.

    Without a folder the difference is that from the live release of each host.
    """
    settings = read_stack_file(stack)
    for line in (
        *map(str, advice.examples_left(settings)),
        *advice.warnings(settings, datetime.date.today()),
    ):
        typer.echo(f"warning: {line}", err=True)
    if out is None:
        for line in since_release(with_local_key(stack, settings), read_deployment(stack)):
            typer.echo(line)
        return
    releases = example_releases(settings)
    if diff:
        for line in differences(releases, out):
            typer.echo(line)
    write(releases, out)
    for release in releases:
        typer.echo(f"{out / release.host}: {len(release.files)} files", err=diff)
    typer.echo("Addresses are examples; keys and tokens are throw-away.", err=True)


def with_local_key(stack: str, settings: Settings) -> Settings:
    """With the operator's key that a deployment of a local stack adds to those of its file."""
    local = local_stack(stack)
    if local is None:
        return settings
    keys = (*settings.operators.ssh_keys, local.operator_key)
    operators = settings.operators.model_copy(update={"ssh_keys": keys})
    return settings.model_copy(update={"operators": operators})


def since_release(settings: Settings, deployment: Deployment) -> Iterator[str]:
    """What the next push would change on each host, except files with secrets."""
    hosts = {**deployment.hosts}
    for name in sorted(settings.roles.keys() - hosts.keys()):
        yield f"{name}: a new host"
    addresses = deployed_addresses(settings, deployment)
    for release in releases_with(settings, addresses):
        if release.host not in hosts:
            continue
        live = ssh_json(hosts[release.host], ["release"])
        fresh = {file.path: file for file in release.files}
        secret = sum(file["secret"] for file in live["files"].values())
        yield f"{release.host}: against release {live['release']}"
        yield f"{release.host}: {secret} files with secrets are not compared"
        for path in sorted(fresh.keys() | live["files"].keys()):
            yield from _difference(
                f"{release.host}{path}", live["files"].get(path), fresh.get(path)
            )


def _difference(name: str, was: Mapping[str, Any] | None, is_: ReleaseFile | None) -> Iterator[str]:
    content = is_.content if is_ else b""
    if (was and was["secret"]) or (is_ and is_.secret):
        return
    if was and was["content"] is None:
        if hashlib.sha256(content).hexdigest() != was["sha256"]:
            yield f"{name}: another program"
        return
    before = was["content"].splitlines() if was else []
    after = content.decode("utf-8", "replace").splitlines()
    yield from difflib.unified_diff(before, after, name, f"next {name}", lineterm="")


def deployed_addresses(settings: Settings, deployment: Deployment) -> Addresses:
    """The addresses that AWS gave; examples for hosts and sources that are new."""
    example = example_addresses(settings)
    nodes = {host.name: host for host in deployment.mta_hosts}
    sources = {
        name: Address(private=known.private, public=known.public)
        if (known := deployment.egress.get(name))
        else address
        for name, address in example.sources.items()
    }
    return Addresses(
        mta={
            name: Address(private=host.private_address, public=host.address)
            if (host := nodes.get(name))
            else address
            for name, address in example.mta.items()
        },
        proxies={
            proxy.name: sources[settings.sources_of(proxy.name)[0].name]
            for proxy in settings.proxies
        },
        sources=sources,
        limits=deployment.limits_address or example.limits,
    )


def write(releases: Iterable[Release], out: Path) -> None:
    """Each file at `out/<host>/<live path>`, and the rest of its release at `out/<host>.json`."""
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


def differences(releases: Iterable[Release], out: Path) -> Iterator[str]:
    """What writing them would change in the folder, file by file, as `diff -u` says it."""
    fresh = {
        f"{release.host}{file.path}": file.content for release in releases for file in release.files
    }
    before = {
        str(path.relative_to(out)): path.read_bytes()
        for name in _written(out)
        if (out / name).is_dir()
        for path in sorted((out / name).rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    for name in sorted(fresh.keys() | before.keys()):
        was, is_ = (found.get(name, b"").decode("utf-8", "replace") for found in (before, fresh))
        yield from difflib.unified_diff(
            was.splitlines(), is_.splitlines(), f"before/{name}", f"now/{name}", lineterm=""
        )


def _clear(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: it is not a folder; use a new or an empty one")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: cannot be created: {error.strerror}") from None
    if not (out / _MARK).exists() and any(out.iterdir()):
        raise UserError(
            f"--out {out}: it contains files that `ping8 render` did not write; use a new or an "
            "empty folder"
        )
    for name in _written(out):
        path = out / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _written(out: Path) -> tuple[str, ...]:
    """What an earlier run wrote: names of hosts in the folder itself, never a link or a way out."""
    mark = out / _MARK
    if not mark.exists():
        return ()
    try:
        written = json.loads(mark.read_text("utf-8"))
    except (OSError, ValueError):
        written = None
    if not isinstance(written, list) or not all(_is_ours(out, name) for name in written):
        raise UserError(
            f"--out {out}: {_MARK} in it was changed since `ping8 render` wrote it; nothing was "
            "changed; use a new or an empty folder"
        )
    return tuple(written)


def _is_ours(out: Path, name: object) -> bool:
    return (
        isinstance(name, str)
        and _HOST.fullmatch(name) is not None
        and not (out / name).is_symlink()
    )


def _create(path: Path, content: bytes, mode: int) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, mode)
        stream.write(content)


def _described(release: Release) -> dict[str, Any]:
    described = asdict(release)
    for file in described["files"]:
        del file["content"]
        file["mode"] = f"{file['mode']:04o}"
    return described
