"""Reads raw values into the model as far as possible: one error does not hide others."""

import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from policy.settings.base import Model
from policy.settings.model import FILLED_IN, Settings
from policy.settings.plain_secrets import Path
from policy.settings.problems import key_of, nearest, one_of
from policy.settings.secret_values import SECRET_KEYS

LISTS = ("domains", "brands", "pools", "sources", "proxies")
"""Fields whose elements are checked one by one."""

_STAND_INS: Mapping[str, object] = {
    "environment": "stand-in",
    "region": "us-east-1",
    "zone": "stand-in.invalid",
    "operators": {"cidrs": ["192.0.2.1/32"]},
    "webhook": {"url": "https://stand-in.invalid/"},
}
"""Placeholders for required settings that are wrong or missing; no check reads them."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One error of the model."""

    path: Path
    value: object
    fix: str
    hide: bool = False


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The settings that are valid.

    `broken` fields do not have the value of the stack file; `thinned` fields lack
    malformed elements, and `kept` has the original index of each remaining one.
    """

    settings: Settings
    faults: tuple[Fault, ...]
    broken: frozenset[str]
    thinned: frozenset[str]
    kept: Mapping[str, tuple[int, ...]]


def read(raw: Mapping[str, object], *, spoilt: frozenset[str] = frozenset()) -> Reading:
    """Read the model. `spoilt` fields are known to be wrong and are missing in `raw`."""
    raw = {key: value for key, value in _STAND_INS.items() if key in spoilt} | dict(raw)
    try:
        settings = _validate(raw)
    except ValidationError as error:
        return _read_what_is_sound(raw, error, spoilt)
    return Reading(settings=settings, faults=(), broken=spoilt, thinned=frozenset(), kept={})


def _validate(raw: Mapping[str, object]) -> Settings:
    return Settings.model_validate(dict(raw), by_alias=True, by_name=False)


def _read_what_is_sound(
    raw: Mapping[str, object], error: ValidationError, spoilt: frozenset[str]
) -> Reading:
    errors = error.errors(include_url=False)
    sound = dict(raw)
    bad_elements: dict[str, set[int]] = {}
    broken = set(spoilt)
    for detail in errors:
        key, *rest = detail["loc"]
        if key in LISTS and rest and isinstance(rest[0], int):
            bad_elements.setdefault(str(key), set()).add(rest[0])
            continue
        sound.pop(str(key), None)
        broken |= _meant(str(key))
        if key in _STAND_INS:
            sound[str(key)] = _STAND_INS[str(key)]
    kept: dict[str, tuple[int, ...]] = {}
    for key, bad in bad_elements.items():
        elements = sound.get(key)
        if isinstance(elements, Sequence):
            kept[key] = tuple(i for i in range(len(elements)) if i not in bad)
            sound[key] = [elements[i] for i in kept[key]]
    return Reading(
        settings=_validate(sound),
        faults=tuple(_fault(detail) for detail in errors),
        broken=frozenset(broken),
        thinned=frozenset(kept),
        kept=kept,
    )


def _meant(key: str) -> set[str]:
    """The fields that may be wrong if this key is."""
    by_key = keys_of_settings()
    elsewhere = {
        path.split(".")[0].split("[")[0] for path in _all_keys() if path.endswith(f".{key}")
    }
    if key in by_key:
        return {by_key[key]}
    near = nearest(key, by_key)
    return {by_key[word] for word in elsewhere or ({near} if near else set())}


def keys_of_settings() -> dict[str, str]:
    """Fields of the settings by their key in a stack file."""
    return {field.alias or name: name for name, field in Settings.model_fields.items()}


# --- errors in plain words ----------------------------------------------------------------------

_PLAIN_FIXES: Mapping[str, str] = {
    "string_type": "write text, in quotes if YAML would read it as something else",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "model_type": "write a table of keys and values",
    "model_attributes_type": "write a table of keys and values",
    "dict_type": "write a table of keys and values",
    "tuple_type": "write a list",
    "date_type": "write a date such as 2026-12-01",
    "date_parsing": "write a date such as 2026-12-01",
    "date_from_datetime_parsing": "write a date such as 2026-12-01",
    "date_from_datetime_inexact": "write a date without a time, such as 2026-12-01",
}


def _fault(detail: ErrorDetails) -> Fault:
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Fault(path=path, value=detail["input"], fix=_unknown_key(path), hide=True)
    value = None if kind == "missing" else detail["input"]
    return Fault(path=path, value=value, fix=_fix(detail, path))


def _fix(detail: ErrorDetails, path: Path) -> str:  # noqa: PLR0911 - one answer a kind of error
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return _missing(path)
    if kind == "literal_error":
        return _allowed(path, detail["input"])
    if kind == "greater_than_equal":
        return f"use {context['ge']} or more"
    if kind == "less_than_equal":
        return f"use {context['le']} or less"
    if kind == "greater_than":
        return f"use more than {context['gt']}"
    if kind == "too_long":
        return f"write {context['max_length']} values; there are {context['actual_length']}"
    if kind == "too_short":
        return f"write {context['min_length']} or more values"
    return _PLAIN_FIXES.get(kind, detail["msg"])


def _missing(path: Path) -> str:
    if isinstance(path[-1], int):
        return "a value is missing here"
    model = _model_at(path[:-1])
    for name, field in (model.model_fields if model else {}).items():
        if (field.alias or name) == path[-1]:
            example = f", such as {field.examples[0]}" if field.examples else ""
            return f"it is required: {(field.description or '').rstrip('.')}{example}"
    return "it is required"


def _allowed(path: Path, given: object) -> str:
    words = [str(word) for word in _literals(_annotation_at(path))]
    near = nearest(str(given), words)
    listed = f"use one of: {', '.join(words)}"
    return f"did you mean {near}? {listed}" if near else listed


def _unknown_key(path: Path) -> str:
    model = _model_at(path[:-1])
    known = [field.alias or name for name, field in (model.model_fields if model else {}).items()]
    if not path[:-1]:
        known = [key for key in known if key not in FILLED_IN] + list(SECRET_KEYS)
    word = str(path[-1])
    elsewhere = [key for key in _all_keys() if key.rpartition(".")[2] == word]
    if elsewhere:
        return f"unknown key here; did you mean {elsewhere[0]}?"
    return f"unknown key; {one_of(known, word)}"


def _all_keys() -> Iterator[str]:
    for path in _walk(Settings, ()):
        yield key_of(path)


def _walk(model: type[Model], above: Path) -> Iterator[Path]:
    for name, field in model.model_fields.items():
        path = (*above, field.alias or name)
        yield path
        inner = _inner_model(field.annotation)
        if inner is not None:
            yield from _walk(inner, path)


def _inner_model(annotation: Any) -> type[Model] | None:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    found = (_inner_model(argument) for argument in typing.get_args(annotation))
    return next((model for model in found if model is not None), None)


def _annotation_at(path: Path) -> Any:
    """The annotation of the field that a path leads to."""
    annotation: Any = Settings
    for part in path:
        model = _inner_model(annotation)
        if isinstance(part, str) and model is not None:
            by_key = {field.alias or name: field for name, field in model.model_fields.items()}
            if part in by_key:
                annotation = by_key[part].annotation
    return annotation


def _model_at(path: Path) -> type[Model] | None:
    return _inner_model(_annotation_at(path))


def _literals(annotation: Any) -> Iterator[object]:
    if typing.get_origin(annotation) is typing.Literal:
        yield from typing.get_args(annotation)
        return
    for argument in typing.get_args(annotation):
        yield from _literals(argument)
