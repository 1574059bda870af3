"""What a check is, and which settings must be valid before it can run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from policy.settings.model import Settings
from policy.settings.problems import Finding

Rule = Callable[[Settings], Iterable[Finding]]


@dataclass(frozen=True, kw_only=True)
class Check:
    """A rule with the fields of `Settings` that it reads.

    It cannot run if one of `whole` has an error. It checks the lists in `elements` element by
    element, so it still runs on the well-formed ones.
    """

    rule: Rule
    whole: frozenset[str]
    elements: frozenset[str]

    def can_run(self, broken: frozenset[str], thinned: frozenset[str]) -> bool:
        """Whether what it reads is valid: not broken and, if it matters, complete."""
        return not (self.whole & (broken | thinned) or self.elements & broken)


CHECKS: list[Check] = []
"""Every rule that `check` marked, in the order of modules and lines."""


def check(*whole: str, elements: Iterable[str] = ()) -> Callable[[Rule], Rule]:
    """Registers a rule with the settings that it reads (see `Check`)."""
    known = frozenset(Settings.model_fields)
    read = frozenset(whole)
    single = frozenset(elements)
    if not (read | single) <= known:
        raise LookupError(f"no such settings: {', '.join(sorted((read | single) - known))}")

    def register(rule: Rule) -> Rule:
        CHECKS.append(Check(rule=rule, whole=read, elements=single))
        return rule

    return register
