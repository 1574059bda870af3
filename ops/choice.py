"""Names in a command line."""

from collections.abc import Collection

from policy.errors import UsageError
from policy.settings.problems import one_of


def chosen(option: str, name: str, known: Collection[str]) -> str:
    """The name, if it is known; otherwise raises `UsageError`, which suggests another."""
    if name not in known:
        raise UsageError(f"{option} {name}: not known; {one_of(known, name)}")
    return name
