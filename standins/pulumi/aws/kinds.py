"""The table of resource kinds and functions (kinds.yaml), and how its steps become calls.

A leaf of a step's `give` is a JMESPath expression over what is known of the resource; `after(TEXT,
MARK)` is what follows a mark. Names of inputs become the API's, and the API's become names of
outputs, by botocore's own model of the call.
"""

import datetime
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal

import jmespath
from botocore.model import ListShape, OperationModel, Shape, StructureShape
from pydantic import BaseModel, ConfigDict

from standins.pulumi.aws.account import Client
from standins.pulumi.aws.tables import table
from standins.pulumi.properties import Properties, Value
from standins.pulumi.resource import Traits

_EMPTY: tuple[Value, ...] = (None, [], {})


class _Functions(jmespath.functions.Functions):  # type: ignore[misc]
    @jmespath.functions.signature({"types": ["string"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_after(self, text: str, mark: str) -> str:
        return text.partition(mark)[2]


_OPTIONS = jmespath.Options(custom_functions=_Functions())


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Row):
    """One call. `of` are inputs without which, or without a change of which, it is not made.

    `at` is the part of the answer that counts, and `where` picks one of a list by its members.
    """

    call: str
    give: dict[str, Any] = {}
    of: frozenset[str] = frozenset()
    at: str = "@"
    where: dict[str, str] = {}

    def run(self, client: Client, known: Properties, optional: Properties | None = None) -> Value:
        """The relevant part of the answer; `optional` is for calls with such members."""
        shape = _operation(client, self.call).input_shape
        members = _members(shape)
        given = {name: value for name, value in (optional or {}).items() if name.lower() in members}
        arguments = _shaped(shape, {**given, **fill(self.give, known)})
        answer = getattr(client, self.call)(**arguments)
        found = jmespath.search(self.at, answer)
        if self.where:
            wanted = fill(self.where, known)
            found = next((item for item in found or [] if wanted.items() <= item.items()), None)
        return found


class Refuse(_Row):
    """Inputs that the provider itself rejects: those for which the expression is true."""

    path: str
    when: str
    reason: str


class Kind(Traits, _Row):
    """A resource kind, in names of the schema.

    A change of `replace` needs a new resource; `inputs` change in place by `change` and `apply`,
    and those of `fixed` not at all here. Any other input is refused. `names` are the API's where
    they differ. `create` gives the `id`, and is repeated for an update when `put` is true; `then`
    follows it. `apply` follows both; `change` goes before it in an update. The first of `read` says
    whether it exists, the others add to its answer. `type` is EC2's word for it in ARNs and tags;
    `tagged` holds tags at creation, for those calls that take some. `settle` names what to put into
    force on the hosts.
    """

    service: str
    create: Step
    id: str
    read: tuple[Step, ...]
    delete: tuple[Step, ...] = ()
    put: bool = False
    type: str | None = None
    inputs: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    names: dict[str, str] = {}
    then: tuple[Step, ...] = ()
    change: tuple[Step, ...] = ()
    apply: tuple[Step, ...] = ()
    tagged: dict[str, Any] = {}
    tag: Step | None = None
    untag: Step | None = None
    outputs: dict[str, str] = {}
    refuse: tuple[Refuse, ...] = ()
    settle: Literal["network", "dns", "balancer"] | None = None

    @property
    def known(self) -> frozenset[str]:
        """Every input that the sandbox knows."""
        return self.replace | self.inputs | self.fixed

    def described(self, found: Properties) -> Properties:
        """The inputs as the API describes them; what it leaves out is left out."""
        members = {name.lower(): value for name, value in found.items()}
        wanted = {name: self.names.get(name, name).lower() for name in self.known}
        return {
            name: self._described(name, members[api])
            for name, api in wanted.items()
            if api in members
        }

    def _described(self, name: str, value: Any) -> Value:
        """A document keeps its keys as they are."""
        if name in self.documents:
            return value if isinstance(value, str) else json.dumps(value)
        return None if value == "" else plain(value)


class Lookup(_Row):
    """A function: one call, and its result by output; `one` names what must be unique."""

    service: str = "ec2"
    call: Step
    arguments: frozenset[str]
    result: dict[str, str]
    one: str | None = None


def fill(template: Any, known: Any) -> Any:
    """The template with the values of its expressions; those without a value are left out."""
    if isinstance(template, str):
        return jmespath.search(template, known, _OPTIONS)
    if isinstance(template, dict):
        return _pruned({name: fill(item, known) for name, item in template.items()})
    if isinstance(template, list):
        return [fill(item, known) for item in template]
    return template


def plain(value: Any) -> Value:
    """A described value as an output: in the schema's names, pairs as a map."""
    if isinstance(value, list):
        names = [set(item) if isinstance(item, dict) else set() for item in value]
        for pair in ({"Key", "Value"}, {"Name", "Value"}):
            if names and all(each == pair for each in names):
                key = min(pair)
                return {item[key]: item["Value"] for item in value}
        return [plain(item) for item in value] or None
    if isinstance(value, dict):
        return {_camel(name): plain(item) for name, item in value.items()}
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value


class _Table(_Row):
    services: dict[str, dict[str, Any]]
    """What the kinds of a service have in common."""
    kinds: dict[str, dict[str, Any]]
    functions: dict[str, Lookup]


@cache
def _table() -> _Table:
    return _Table.model_validate(table("kinds"))


@cache
def kinds() -> Mapping[str, Kind]:
    """The kinds by token."""
    found = _table()
    return {
        token: Kind.model_validate({**found.services[row["service"]], **row})
        for token, row in found.kinds.items()
    }


def lookups() -> Mapping[str, Lookup]:
    """The functions by token."""
    return _table().functions


def _operation(client: Client, call: str) -> OperationModel:
    name = client.meta.method_to_api_mapping[call]
    model: OperationModel = client.meta.service_model.operation_model(name)
    return model


def _members(shape: Shape | None) -> dict[str, str]:
    members: Iterable[str] = shape.members if isinstance(shape, StructureShape) else ()
    return {name.lower(): name for name in members}


def _shaped(shape: Shape | None, value: Any) -> Any:
    """The value in the model's names; a map becomes a list of pairs if the model has one."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        names = _members(shape)
        named = {names.get(name.lower(), str(name)): item for name, item in value.items()}
        return _pruned({name: _shaped(shape.members.get(name), named[name]) for name in named})
    if isinstance(shape, ListShape) and isinstance(value, dict):
        key, content = _members(shape.member).values()
        return [{key: name, content: item} for name, item in sorted(value.items())]
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_shaped(shape.member, item) for item in value]
    return value


def _pruned(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if item not in _EMPTY}


def _camel(name: str) -> str:
    """`SSEAlgorithm` as `sseAlgorithm`, `KMSMasterKeyID` as `kmsMasterKeyId`."""
    name = name.replace("ID", "Id")
    capitals = len(name) - len(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    head = max(1, capitals - 1) if capitals < len(name) else capitals
    return name[:head].lower() + name[head:]
