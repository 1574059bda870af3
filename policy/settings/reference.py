"""Writes the reference of all keys, docs/settings.md, from the model.

Run it after a change of the model: `python -m policy.settings.reference`.
"""

import datetime
import json
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from policy.settings.base import Kind, Model
from policy.settings.checks import CHECKS
from policy.settings.domains import DomainDefaults
from policy.settings.model import FILLED_IN, Settings
from policy.settings.problems import PROJECT
from policy.settings.secret_values import SECRET_KEYS, TABLES

TARGET = Path(__file__).resolve().parents[2] / "docs" / "settings.md"

_INTRODUCTION = f"""\
# Settings

Generated from the model in `policy/settings`; change it there, then run
`python -m policy.settings.reference`.

A stack file, `stacks/Pulumi.<environment>.yaml`, has these keys under `config:`, each with the
namespace `{PROJECT}:`. `stacks/Pulumi.dev.yaml` is the smallest that works,
`stacks/Pulumi.prod.yaml` shows most of the others. `pulumi preview` reports all problems
together, each with its key, its value and its fix, before any resource changes.

`[]` means each element of a list, `<...>` a name of your own. Durations are a whole number
and a unit: `30s`, `5m`, `24h`, `7d`. Names of sources, pools, brands and proxies are 2 to 32
lower-case letters, digits and inner hyphens. Domain names are normalised to lower case and ASCII
(IDNA), without their last dot.
"""

_SECRETS = """\
## Secrets

Pulumi generates each secret that is not set, except `previousInjectionToken` and
`certificateKey`, and keeps it encrypted in the stack's state. To set one, use
`pulumi config set --secret KEY`; plain text is rejected. Tokens have 32 to 128 characters
(`proxyPassword` and `limitsPassword` 16 to 128): letters, digits and `-._~+/`, with `=` only at
the end.

| key | type | meaning | example |
|---|---|---|---|
"""

_SECRET_EXAMPLES = {
    "certificateKey": "pulumi config set --secret certificateKey < privkey.pem",
    "deployKey": "pulumi config set --secret deployKey < deploy_ed25519",
    "hostKeys": "pulumi config set --secret --path 'hostKeys[\"mta-1\"]' < host_ed25519",
    "dkimKeys": "pulumi config set --secret --path 'dkimKeys[\"example.com/s1\"]' < s1.pem",
}

_SIMPLE = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    datetime.date: "date",
}


_ACRONYMS = {word.lower(): word for word in ("VPC", "AWS", "EHLO", "IPs", "SPF", "SSH", "SOCKS")}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One key of the reference."""

    key: str
    type: str
    unit: str
    default: str
    meaning: str
    example: str


def rows(model: type[Model], above: str = "") -> Iterator[Row]:
    """Every key of a model and of the models in it."""
    for name, field in model.model_fields.items():
        key = f"{above}{field.alias or name}"
        shown = "aws:region" if key == "region" else key
        if shown in FILLED_IN:
            continue
        annotation = _annotation(field)
        inner = _inner(annotation)
        yield Row(
            key=shown,
            type=_type(annotation),
            unit=_unit(annotation),
            default=_default(field),
            meaning=field.description or "",
            example=_example(field),
        )
        if inner is not None and model is not DomainDefaults:
            yield from rows(inner, f"{key}{_steps(annotation)}.")


def text() -> str:
    """The whole reference."""
    sections = [_INTRODUCTION, "## The environment\n\n" + _table(_top_level())]
    for name, field in Settings.model_fields.items():
        inner = _inner(_annotation(field))
        if inner is not None:
            key = field.alias or name
            steps = _steps(_annotation(field))
            introduction = (inner.__doc__ or "").split("\n\n")[0].strip()
            own = rows(inner, f"{key}{steps}.")
            sections.append(f"## {key}\n\n{introduction}\n\n{_table(own)}")
    return "\n".join([*sections, _SECRETS + "".join(_secret_rows()), _rules()])


def _rules() -> str:
    """The rules across settings: the name and docstring of each check."""
    lines = [f"- {_sentence(check.rule.__name__)}. {check.rule.__doc__}\n" for check in CHECKS]
    return "## Rules\n\nBesides the form of each key, preview checks these rules.\n\n" + "".join(
        lines
    )


def _sentence(name: str) -> str:
    words = [_ACRONYMS.get(word, word) for word in name.split("_")]
    return " ".join([words[0][0].upper() + words[0][1:], *words[1:]])


def _top_level() -> Iterator[Row]:
    return (row for row in rows(Settings) if "." not in row.key and "[" not in row.key)


def _table(of: Iterable[Row]) -> str:
    lines = ["| key | type | unit | default | meaning | example |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{row.key}` | {row.type} | {row.unit} | {row.default} | {_cell(row.meaning)} "
        f"| {row.example} |"
        for row in of
    ]
    return "\n".join(lines) + "\n"


def _secret_rows() -> Iterator[str]:
    for key, meaning in SECRET_KEYS.items():
        kind = "table of secrets" if key in TABLES else "secret"
        example = _SECRET_EXAMPLES.get(key, f"pulumi config set --secret {key}")
        yield f"| `{key}` | {kind} | {_cell(meaning)} | `{example}` |\n"


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")


# --- types --------------------------------------------------------------------------------------


def _annotation(field: FieldInfo) -> Any:
    """The annotation with the metadata that pydantic separates from it."""
    annotation: Any = field.annotation
    for extra in field.metadata:
        annotation = typing.Annotated[annotation, extra]
    return annotation


def _metadata(annotation: Any) -> tuple[Any, ...]:
    return tuple(getattr(annotation, "__metadata__", ()))


def _plain(annotation: Any) -> Any:
    return typing.get_args(annotation)[0] if _metadata(annotation) else annotation


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The parts of an annotation, without None and the ellipsis of a tuple."""
    parts = typing.get_args(_plain(annotation))
    return tuple(part for part in parts if part not in (type(None), Ellipsis))


def _inner(annotation: Any) -> type[Model] | None:
    plain = _plain(annotation)
    if isinstance(plain, type) and issubclass(plain, Model):
        return plain
    if typing.get_origin(plain) is typing.Literal:
        return None
    found = (_inner(part) for part in _parts(plain))
    return next((model for model in found if model is not None), None)


def _steps(annotation: Any) -> str:
    """How a key continues into its value."""
    origin = typing.get_origin(_plain(annotation))
    return "[]" if origin is tuple else ".<name>" if origin is dict else ""


def _type(annotation: Any) -> str:  # noqa: PLR0911 - one answer a kind of type
    kinds = [kind.name for kind in _metadata(annotation) if isinstance(kind, Kind) and kind.name]
    if kinds:
        return kinds[0]
    plain = _plain(annotation)
    origin, parts = typing.get_origin(plain), _parts(plain)
    if plain in _SIMPLE:
        return _SIMPLE[plain] + _bounds(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{part}`" for part in parts) if len(parts) < 5 else "record type"
    if origin in (typing.Union, types.UnionType):
        bounds = _bounds(annotation)
        return " or ".join(f"{_type(part)}{bounds}" for part in parts)
    if origin is tuple:
        fixed = Ellipsis not in typing.get_args(plain)
        return f"{len(parts)} of: {_type(parts[0])}" if fixed else f"list of: {_type(parts[0])}"
    if origin is dict:
        flat = _inner(plain) is None and typing.get_origin(parts[1]) is not dict
        return f"table of: {_type(parts[1])}" if flat else "table of tables"
    return "table"


def _bounds(annotation: Any) -> str:
    low, high, above = (_bound(annotation, kind) for kind in ("ge", "le", "gt"))
    if low is None and above is not None:
        return f", above {above}" + (f" to {high}" if high is not None else "")
    if low is None:
        return ""
    return f", {low} to {high}" if high is not None else f", {low} or more"


def _bound(annotation: Any, kind: str) -> object:
    found = (getattr(item, kind, None) for item in _metadata(annotation))
    return next((bound for bound in found if bound is not None), None)


def _unit(annotation: Any) -> str:
    kinds = [kind.unit for kind in _metadata(annotation) if isinstance(kind, Kind) and kind.unit]
    if kinds:
        return kinds[0]
    if typing.get_origin(_plain(annotation)) is typing.Literal:
        return ""
    return next((unit for part in _parts(annotation) if (unit := _unit(part))), "")


# --- values -------------------------------------------------------------------------------------


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "**required**"
    if isinstance(field.default, Model):
        return ""
    if field.default is None:
        return "none"
    return _value(field.default)


def _example(field: FieldInfo) -> str:
    if field.examples:
        return _value(field.examples[0])
    if field.default is PydanticUndefined or isinstance(field.default, Model):
        return ""
    return "" if field.default is None else _value(field.default)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(_data(value), ensure_ascii=False)
    return f"`{_cell(text)}`"


def _data(value: Any) -> Any:
    if isinstance(value, Model):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, tuple | list):
        return [_data(item) for item in value]
    return value


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
