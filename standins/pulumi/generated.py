"""Resources that live in the state alone: made once, never read, gone without a trace."""

from collections.abc import Callable

from standins.pulumi.properties import Properties
from standins.pulumi.resource import DEFAULTS as _DEFAULTS
from standins.pulumi.resource import Call, Change, Traits, check_against_schema, compare


class Generated:
    """A resource whose outputs come from its inputs and chance; any other input replaces it."""

    def __init__(
        self,
        kind: str,
        make: Callable[[Properties], tuple[str, Properties]],
        *,
        secrets: frozenset[str] = frozenset(),
        updatable: frozenset[str] = frozenset(),
        defaults: Properties | None = None,
    ) -> None:
        self.kind = kind
        self.traits = Traits(secrets=secrets)
        self._make = make
        self._updatable = updatable
        self._defaults = defaults or {}

    def check(self, call: Call, olds: Properties, news: Properties) -> Properties:  # noqa: ARG002
        check_against_schema(self, news)
        given = {name: value for name, value in news.items() if value is not None}
        return {**self._defaults, **given}

    def changes(self, olds: Properties, news: Properties) -> list[Change]:
        found = compare(self.traits, olds, news)
        return [
            Change(name=change.name, kind=change.kind, replaces=change.name not in self._updatable)
            for change in found
        ]

    def create(self, call: Call, inputs: Properties) -> tuple[str, Properties]:  # noqa: ARG002
        identity, outputs = self._make(inputs)
        given = {name: value for name, value in inputs.items() if name != _DEFAULTS}
        return identity, {**given, **outputs}

    def read(
        self,
        call: Call,  # noqa: ARG002
        identity: str,  # noqa: ARG002
        inputs: Properties,
        state: Properties,
    ) -> tuple[Properties, Properties] | None:
        return (inputs, state) if state else None

    def update(
        self,
        call: Call,  # noqa: ARG002
        identity: str,  # noqa: ARG002
        olds: Properties,
        news: Properties,
    ) -> Properties:
        return {**olds, **news}

    def delete(self, call: Call, identity: str, state: Properties) -> None:
        """Nothing stands anywhere but in the state."""
