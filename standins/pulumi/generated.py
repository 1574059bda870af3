# ruff: noqa: ARG002 - every kind's operations take the same arguments
"""Resources that live in the state alone: made once, never read, gone without a trace."""

from collections.abc import Callable

from standins.pulumi.errors import InvalidInputs, ProviderError
from standins.pulumi.properties import Properties
from standins.pulumi.resource import DEFAULTS as _DEFAULTS
from standins.pulumi.resource import Call, Change, Traits, check_against_schema, compare
from standins.pulumi.schema import Refusal


class Generated:
    """A resource whose outputs come from its inputs and chance; any other input replaces it.

    Inputs that `defaults` does not name are not known to the sandbox, but for `more`.
    """

    def __init__(
        self,
        kind: str,
        make: Callable[[Properties], tuple[str, Properties]],
        *,
        secrets: frozenset[str],
        defaults: Properties,
        more: frozenset[str],
    ) -> None:
        self.kind = kind
        self.traits = Traits(secrets=secrets)
        self._make = make
        self._defaults = defaults
        self._known = more | {*defaults, _DEFAULTS}

    def check(self, call: Call, olds: Properties, news: Properties) -> Properties:
        check_against_schema(self, news)
        given = {name: value for name, value in news.items() if value is not None}
        for name in sorted(given.keys() - self._known):
            raise InvalidInputs(Refusal(path=name, reason="not known to the sandbox"))
        return {**self._defaults, **given}

    def changes(self, olds: Properties, news: Properties) -> list[Change]:
        return [
            Change(name=each.name, kind=each.kind, replaces=True)
            for each in compare(self.traits, olds, news)
        ]

    def create(self, call: Call, inputs: Properties) -> tuple[str, Properties]:
        identity, outputs = self._make(inputs)
        given = {name: value for name, value in inputs.items() if name != _DEFAULTS}
        return identity, {**given, **outputs}

    def read(
        self, call: Call, identity: str, inputs: Properties, state: Properties
    ) -> tuple[Properties, Properties] | None:
        return (inputs, state) if state else None

    def update(self, call: Call, identity: str, olds: Properties, news: Properties) -> Properties:
        raise ProviderError(f"{self.kind} has no input that changes in place")

    def delete(self, call: Call, identity: str, state: Properties) -> None:
        """There is nothing of it but in the state."""
