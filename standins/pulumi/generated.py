# ruff: noqa: ARG002 - every kind's operations take the same arguments
"""Resources that exist only in the state: created once, never read, deleted without a call."""

from collections.abc import Callable

from standins.pulumi.errors import InvalidInputs
from standins.pulumi.properties import Properties
from standins.pulumi.resource import DEFAULTS, Call, Change, Resource, Traits
from standins.pulumi.schema import Refusal


class Generated(Resource):
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
        super().__init__(kind, Traits(secrets=secrets))
        self._make = make
        self._defaults = defaults
        self._known = more | {*defaults, DEFAULTS}

    def check(self, call: Call, olds: Properties, news: Properties) -> Properties:
        checked = super().check(call, olds, news)
        given = {name: value for name, value in checked.items() if value is not None}
        for name in sorted(given.keys() - self._known):
            raise InvalidInputs(Refusal(path=name, reason="not known to the sandbox"))
        return {**self._defaults, **given}

    def changes(self, olds: Properties, news: Properties) -> list[Change]:
        return [
            Change(name=each.name, kind=each.kind, replaces=True)
            for each in super().changes(olds, news)
        ]

    def create(self, call: Call, inputs: Properties) -> tuple[str, Properties]:
        identity, outputs = self._make(inputs)
        given = {name: value for name, value in inputs.items() if name != DEFAULTS}
        return identity, {**given, **outputs}
