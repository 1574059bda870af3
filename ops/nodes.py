"""Asks several MTA hosts and joins their answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import typer

from ops.ssh import NEWEST
from ops.stack import HostAccess
from policy.errors import UserError

NOT_SHOWN = "what this host knows is not shown"
NOT_DONE = "this host was not changed; run the command again when it answers"


def ask_all(
    hosts: Sequence[HostAccess], ask: Callable[[HostAccess], Any], *, without: str = NOT_SHOWN
) -> dict[str, Mapping[str, Any]]:
    """Each host's answer by its name; a warning for one that gives none, and what that means.

    Raises the first host's `UserError` if none answers.
    """
    found, failed = asked(hosts, ask)
    if not found:
        raise failed[0]
    for failure in failed:
        typer.echo(f"ping8: warning: {failure}; {without}", err=True)
    return found


def ask_every(
    hosts: Sequence[HostAccess], ask: Callable[[HostAccess], Any]
) -> dict[str, Mapping[str, Any]]:
    """Each host's answer by its name. Raises a `UserError` that names every host without one."""
    found, failed = asked(hosts, ask)
    if failed:
        raise UserError("; ".join(map(str, failed)))
    return found


def asked(
    hosts: Sequence[HostAccess], ask: Callable[[HostAccess], Any]
) -> tuple[dict[str, Any], list[UserError]]:
    """Each host's answer by its name, and the errors of the others."""

    def one(host: HostAccess) -> Any:
        try:
            return ask(host)
        except UserError as error:
            return error

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = dict(zip((host.name for host in hosts), pool.map(one, hosts), strict=True))
    found = {host: each for host, each in answers.items() if not isinstance(each, UserError)}
    return found, [each for each in answers.values() if isinstance(each, UserError)]


def items(answers: Mapping[str, Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    """The entries of a list in every answer, each with its host."""
    for host, found in answers.items():
        if not isinstance(found[key], list):
            raise UserError(f"{host}: its agent's {key!r} is no list; {NEWEST}")
    return [{"host": host, **item} for host, found in answers.items() for item in found[key]]


def total(answers: Iterable[Mapping[str, Any]], key: str) -> int:
    """The sum of a count over all answers."""
    return sum(int(found[key]) for found in answers)
