"""The inputs and outputs of a resource, read from the real SDK's generated classes.

The stand-ins refuse what the real provider's schema does not have, so that a misspelt or invented
argument fails here as it would there.
"""

import difflib
import importlib
import inspect
import re
import threading
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pulumi import _types

from standins.pulumi.properties import UNKNOWN, Properties, Value

_IMPORTING = threading.Lock()

# A type as an annotation writes it.
Annotation = typing.Any


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why one input is not accepted: its path in wire names and the reason."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Wire names of a resource: its inputs with their types, the required ones, the outputs."""

    inputs: Mapping[str, Annotation]
    required: frozenset[str]
    outputs: frozenset[str]

    def refusals(self, properties: Properties) -> list[Refusal]:
        """Everything in the properties that the real provider's schema does not allow."""
        return list(_check_object(properties, self.inputs, self.required, ""))


@cache
def resource_schema(token: str) -> Schema:
    """The schema of a resource by its type token, such as `aws:ec2/vpc:Vpc`."""
    module, name = _module_of(token)
    # The generator calls it so where an object type has the plain name.
    args = getattr(module, f"{name}InitArgs", None) or getattr(module, f"{name}Args")
    resource = getattr(module, name)
    return Schema(
        inputs=_types.input_type_types(args),
        required=_types._required_property_names(args),
        outputs=frozenset(_types.resource_types(resource)),
    )


@cache
def function_arguments(token: str) -> frozenset[str]:
    """The wire names of a function's arguments by its token, such as `aws:ec2/getAmi:getAmi`."""
    module, name = _module_of(token)
    function = getattr(module, _snake(name))
    parameters = inspect.signature(function).parameters
    return frozenset(_camel(parameter) for parameter in parameters if parameter != "opts")


def suggestion(name: str, known: typing.Iterable[str]) -> str:
    """The sentence that names the nearest known name, or nothing."""
    nearest = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean '{nearest[0]}'?" if nearest else ""


def _module_of(token: str) -> tuple[Annotation, str]:
    """The package's module that has the class or function, whole, and the name."""
    package, path, name = token.split(":")
    # Parts of the SDK import each other; another thread would see them half made.
    with _IMPORTING:
        module = importlib.import_module(f"pulumi_{package}")
        folder = path.split("/")[0]
        if folder != "index":
            module = getattr(module, _snake(folder))
        # Loads it whole: the SDK does so only when a name of the module is asked for, and an
        # import of one of its parts leaves it without the others.
        getattr(module, name, None)
        return module, name


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _check_object(
    value: Properties, fields: Mapping[str, Annotation], required: frozenset[str], path: str
) -> Iterator[Refusal]:
    for name in sorted(required):
        if value.get(name) is None:
            yield Refusal(path=f"{path}{name}", reason="Missing required property")
    for name, item in value.items():
        if name.startswith("__"):
            continue
        if name not in fields:
            reason = f"unknown property{suggestion(name, fields)}"
            yield Refusal(path=f"{path}{name}", reason=reason)
        elif item is not None:
            yield from _check_value(item, fields[name], f"{path}{name}")


def _check_value(value: Value, expected: Annotation, path: str) -> Iterator[Refusal]:
    expected = _types.unwrap_type(expected)
    origin = typing.get_origin(expected)
    if value is UNKNOWN or expected is typing.Any:
        return
    if _is_list(origin) or _is_map(origin):
        yield from _check_collection(value, expected, path)
    elif isinstance(expected, type) and _types.is_input_type(expected):
        if not isinstance(value, dict):
            yield _wrong(path, "an object", value)
            return
        fields = _types.input_type_types(expected)
        required = _types._required_property_names(expected)
        yield from _check_object(value, fields, required, f"{path}.")
    elif isinstance(value, dict | list):
        if origin is None:
            yield _wrong(path, "one value", value)
    elif expected in (int, float, bool) and not _convertible(value, expected):
        yield _wrong(path, expected.__name__, value)


def _check_collection(value: Value, expected: Annotation, path: str) -> Iterator[Refusal]:
    arguments = typing.get_args(expected)
    if _is_list(typing.get_origin(expected)):
        if not isinstance(value, list):
            yield _wrong(path, "a list", value)
            return
        for index, item in enumerate(value):
            yield from _check_value(item, _item_type(arguments[0]), f"{path}[{index}]")
        return
    if not isinstance(value, dict):
        yield _wrong(path, "an object", value)
        return
    for key, item in value.items():
        yield from _check_value(item, _item_type(arguments[1]), f"{path}.{key}")


def _item_type(annotation: Annotation) -> Annotation:
    """The plain member of an `Input[T]`, which unions it with its promises."""
    origin: object = typing.get_origin(annotation)
    union = origin is typing.Union or origin is types.UnionType
    return typing.get_args(annotation)[0] if union else annotation


def _is_list(origin: Annotation) -> bool:
    return isinstance(origin, type) and issubclass(origin, Sequence)


def _is_map(origin: Annotation) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _convertible(value: Value, expected: type) -> bool:
    if expected is bool:
        return isinstance(value, bool) or value in ("true", "false")
    try:
        expected(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)


def _wrong(path: str, expected: str, value: Value) -> Refusal:
    return Refusal(path=path, reason=f"expected {expected}, got {type(value).__name__}")
