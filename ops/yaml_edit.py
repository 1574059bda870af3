"""Changes one value in YAML text; every other character stays as it is.

A round trip through a YAML library would indent lists anew.
"""

from collections.abc import Sequence
from typing import Any

import yaml

from policy.errors import UserError

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Dumper(yaml.SafeDumper):
    """Quotes whatever a reader could take for a number."""

    def ignore_aliases(self, _data: object) -> bool:
        """Write a value again instead of referring to it."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if value[:1].isdigit() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


Dumper.add_representer(str, _text)


def put(text: str, path: Sequence[str | int], value: object) -> str:
    """The text with this value at a place. Tables that lead there are made; lists are not.

    A bare text in a list becomes a table with that `name`. Raises `UserError` if something else
    would change: an alias, for instance.
    """
    before: Any = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    changed = _edited(text, path, value)
    after: Any = yaml.load(changed, _Loader)  # noqa: S506
    if _with(before, path, value) != after:
        raise UserError(
            f"{'.'.join(map(str, path))} cannot be changed without changing other values; write "
            f"it by hand: {_flow(value)}"
        )
    return changed


def _with(content: Any, path: Sequence[str | int], value: object) -> Any:
    if not path:
        return value
    first, *rest = path
    if isinstance(content, list) and isinstance(first, int):
        return [_with(one, rest, value) if i == first else one for i, one in enumerate(content)]
    if isinstance(content, str):
        content = {"name": content}
    table = content or {}
    return {**table, first: _with(table.get(first), rest, value)}


def _edited(text: str, path: Sequence[str | int], value: object) -> str:
    node: Any = yaml.compose(text, Loader=_Loader)
    for depth, part in enumerate(path):
        if isinstance(node, yaml.ScalarNode):
            name = text[node.start_mark.index : node.end_mark.index]
            table = f"{{name: {name}, {_flow(_nested(path[depth:], value))[1:]}"
            return _replaced(text, node, table)
        child = _child(node, part)
        if child is None:
            return _inserted(text, node, str(part), _nested(path[depth + 1 :], value))
        node = child
    return _replaced(text, node, _flow(value))


def _nested(path: Sequence[str | int], value: object) -> object:
    for part in reversed(path):
        value = {part: value}
    return value


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        found: yaml.Node = node.value[part]
        return found
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for key, value in pairs if key.value == part), None)


def _replaced(text: str, node: yaml.Node, new: str) -> str:
    return f"{text[: node.start_mark.index]}{new}{text[_end(node) :]}"


def _inserted(text: str, node: yaml.CollectionNode, key: str, value: object) -> str:
    entry = f"{key}: {_flow(value)}"
    if node.flow_style:
        end = _end(node.value[-1][1]) if node.value else node.start_mark.index + 1
        return f"{text[:end]}{', ' if node.value else ''}{entry}{text[end:]}"
    indent = " " * node.value[0][0].start_mark.column
    end = text.find("\n", _end(node.value[-1][1]))
    end = len(text) if end < 0 else end
    return f"{text[:end]}\n{indent}{entry}{text[end:] or chr(10)}"


def _end(node: yaml.Node) -> int:
    """Where a value ends; a block's own end mark is behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _flow(value: object) -> str:
    text = yaml.dump(value, Dumper=Dumper, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")
