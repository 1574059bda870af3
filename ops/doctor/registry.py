"""How a check comes to run: a decorated function, with its id and what it is about."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ops.doctor.case import Case, Options
from ops.doctor.finding import Finding, check_texts

T = TypeVar("T")
Look = Callable[[T, Case], Finding | Iterable[Finding]]


@dataclass(frozen=True, kw_only=True, eq=False)
class About(Generic[T]):
    """All things of one kind in a deployment, and how findings name one.

    `together`: checks of one thing wait for the same answer, so they run one after another.
    """

    things: Callable[[Case], Iterable[T]]
    name: Callable[[T], str]
    together: bool = False


@dataclass(frozen=True, kw_only=True)
class Check(Generic[T]):
    """A check; called with a thing, it returns its findings about it."""

    id: str
    about: About[T]
    look: Look[T]
    when: Callable[[Options], bool]

    def __call__(self, thing: T, case: Case) -> list[Finding]:
        """Findings with the check's id and the thing's name."""
        found = self.look(thing, case)
        each = [found] if isinstance(found, Finding) else found
        return [one.of(self.id, self.about.name(thing)) for one in each]


CHECKS: list[Check[Any]] = []
"""Every check that `check` marked."""


def check(
    name: str, about: About[T], *, when: Callable[[Options], bool] = lambda _: True
) -> Callable[[Look[T]], Check[T]]:
    """Registers a check; its text is in `checks.yaml`. `when` decides for which options it runs."""
    if name not in check_texts():
        raise LookupError(f"checks.yaml has no text for {name}")

    def register(look: Look[T]) -> Check[T]:
        made = Check(id=name, about=about, look=look, when=when)
        CHECKS.append(made)
        return made

    return register
