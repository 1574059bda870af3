"""Asks several MTA hosts and joins their answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import typer

from ops.stack import HostAccess
from policy.errors import UserError


def ask_all(
    hosts: Sequence[HostAccess], ask: Callable[[HostAccess], Any]
) -> dict[str, Mapping[str, Any]]:
    """Each host's answer by its name; a warning for one that gives none.

    Raises the first host's `UserError` if none answers.
    """

    def one(host: HostAccess) -> Any:
        try:
            return ask(host)
        except UserError as error:
            return error

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = dict(zip((host.name for host in hosts), pool.map(one, hosts), strict=True))
    failed = [answer for answer in answers.values() if isinstance(answer, UserError)]
    if len(failed) == len(answers):
        raise failed[0]
    for failure in failed:
        typer.echo(f"ping8: warning: {failure}; what this host knows is not shown", err=True)
    return {host: found for host, found in answers.items() if not isinstance(found, UserError)}


def items(answers: Mapping[str, Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    """The entries of a list in every answer, each with its host."""
    return [{"host": host, **item} for host, found in answers.items() for item in found[key]]


def total(answers: Iterable[Mapping[str, Any]], key: str) -> int:
    """The sum of a count over all answers."""
    return sum(int(found[key]) for found in answers)
