# ruff: noqa: ARG002 - every kind's operations take the same arguments
"""A stand-in resource: plain properties in, plain properties out.

The gRPC side (`server`) deals with secrets, unknowns and previews, so a resource sees plain Python
values alone; only `check` and `changes` may meet `UNKNOWN`.
"""

import functools
import json
import secrets as entropy
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from standins.pulumi.errors import InvalidInputs, ProviderError
from standins.pulumi.properties import UNKNOWN, Properties, Value, has_unknown
from standins.pulumi.schema import Schema, resource_schema

DEFAULTS = "__defaults"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request: which resource it is about and how to speak to the engine's log."""

    urn: str
    config: Properties
    log: Callable[[str, str], None]

    @property
    def name(self) -> str:
        """The resource's logical name, the last part of its URN."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One input that differs, and whether only a new resource can have the new value."""

    name: str
    kind: str
    replaces: bool


class Traits(BaseModel):
    """How a type's inputs behave, in wire names.

    `replace`: a change needs a new resource. `sets`: lists whose order means nothing. `documents`:
    strings of JSON, compared by meaning. `autoname`: the input that gets the logical name and a
    random suffix when it is not given. `secrets`: outputs that are always secret. `volatile`:
    outputs that an update may change, hence unknown in its preview.
    `spreads_secrets`: these are secret as soon as any input is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    replace: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    documents: frozenset[str] = frozenset()
    autoname: str | None = None
    secrets: frozenset[str] = frozenset()
    volatile: frozenset[str] = frozenset()
    spreads_secrets: bool = False


class Resource(ABC):
    """The handler of one resource type; by itself it lives in the state alone."""

    def __init__(self, kind: str, traits: Traits) -> None:
        self.kind = kind
        self.traits = traits

    @property
    def schema(self) -> Schema:
        """The real SDK's schema of the type."""
        return resource_schema(self.kind)

    def check(self, call: Call, olds: Properties, news: Properties) -> Properties:
        """The inputs as they will be used; refuses what the real SDK does not know, and gaps."""
        if refusals := self.schema.refusals(news):
            raise InvalidInputs(*refusals)
        return news

    def changes(self, olds: Properties, news: Properties) -> list[Change]:
        """The inputs that differ, by the meaning that the traits give them."""
        names = sorted({*olds, *news} - {DEFAULTS})
        found = (_change(self.traits, name, olds.get(name), news.get(name)) for name in names)
        return [change for change in found if change is not None]

    @abstractmethod
    def create(self, call: Call, inputs: Properties) -> tuple[str, Properties]:
        """The id and outputs of the new resource."""

    def read(
        self, call: Call, identity: str, inputs: Properties, state: Properties
    ) -> tuple[Properties, Properties] | None:
        """The present inputs and outputs, or None when it is gone."""
        return (inputs, state) if state else None

    def update(self, call: Call, identity: str, olds: Properties, news: Properties) -> Properties:
        """The outputs after the inputs became `news`; `olds` is what `previous` says."""
        raise ProviderError(f"{self.kind} has no input that changes in place")

    def delete(self, call: Call, identity: str, state: Properties) -> None:  # noqa: B027
        """Removes it; it is not an error if it is already gone."""


def with_autoname(traits: Traits, call: Call, olds: Properties, news: Properties) -> Properties:
    """The inputs with a generated name, which stays the same over later runs."""
    name = traits.autoname
    if name is None or news.get(name) is not None:
        return news
    kept = olds.get(name) if name in (olds.get(DEFAULTS) or []) else None
    return {**news, name: kept or f"{call.name}-{entropy.token_hex(4)[:7]}", DEFAULTS: [name]}


def _change(traits: Traits, name: str, old: Value, new: Value) -> Change | None:
    if not has_unknown(new) and _meaning(traits, name, old) == _meaning(traits, name, new):
        return None
    kind = "ADD" if old is None else "DELETE" if new is None else "UPDATE"
    return Change(name=name, kind=kind, replaces=name in traits.replace)


def _meaning(traits: Traits, name: str, value: Value) -> Value:
    if name in traits.documents and isinstance(value, str):
        return json.loads(value)
    if name in traits.sets and isinstance(value, list):
        # Maps come off the wire in any order.
        canonical = functools.partial(json.dumps, sort_keys=True, default=repr)
        return sorted((_prune(item) for item in value), key=canonical)
    return _prune(value)


def _prune(value: Value) -> Value:
    """Without nulls and empty collections, which providers treat as absent."""
    if isinstance(value, dict):
        kept = {key: _prune(item) for key, item in value.items() if not key.startswith("__")}
        return {key: item for key, item in kept.items() if item is not None} or None
    if isinstance(value, list):
        return [_prune(item) for item in value] or None
    return value


def preview_outputs(resource: Resource, inputs: Properties) -> Properties:
    """The outputs that a preview of a creation knows: the inputs; all else is unknown."""
    unknown: Properties = dict.fromkeys(resource.schema.outputs, UNKNOWN)
    return {**unknown, **{key: value for key, value in inputs.items() if key != DEFAULTS}}


def previous(resource: Resource, inputs: Properties, state: Properties) -> Properties:
    """Old inputs as they were written, beside the outputs that are no inputs.

    An input that was left to the service has no old value, so it does not look changed.
    """
    names = resource.schema.inputs
    return {**{name: value for name, value in state.items() if name not in names}, **inputs}


def refreshed_inputs(traits: Traits, inputs: Properties, outputs: Properties) -> Properties:
    """Inputs as the resource has them now, kept as written where the meaning is the same."""
    return {
        name: _refreshed(traits, name, value, outputs[name])
        if name in outputs and name != DEFAULTS
        else value
        for name, value in inputs.items()
    }


def _refreshed(traits: Traits, name: str, written: Value, present: Value) -> Value:
    seen = present if name in ("tags", "tagsAll") else _project(present, written)
    same = _meaning(traits, name, seen) == _meaning(traits, name, written)
    return written if same else seen


def _project(present: Value, written: Value) -> Value:
    """The part of the actual state that the inputs set; the rest are the service's defaults."""
    if isinstance(present, dict) and isinstance(written, dict):
        return {key: _project(present.get(key), item) for key, item in written.items()}
    if isinstance(present, list) and isinstance(written, list) and len(present) == len(written):
        pairs = zip(present, written, strict=True)
        return [_project(there, item) for there, item in pairs]
    return present
