"""YAML that Pulumi and we read the same way; anything ambiguous is rejected."""

import re
from pathlib import Path
from typing import Any

import yaml

_DEEPEST = 20
_LARGEST_MIB = 8
_MOST_VALUES = 1_000_000
"""Each alias counts as the values that it repeats."""

_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
_OLD_SWITCH = re.compile(r"y|n|yes|no|on|off", re.IGNORECASE)
_NUMBER_LIKE = re.compile(
    r"[-+]?(?:"
    r"0[xob]?[0-9a-f_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?|\.[0-9][0-9_]*(?:e[-+]?[0-9]+)?"
    r"|[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?|\.(?:inf|nan)"
    r")",
    re.IGNORECASE,
)
_SHORT_DATE = re.compile(r"[0-9]{4}-(?:[0-9]-[0-9]{1,2}|[0-9]{2}-[0-9])")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9].*")


class UnreadableError(Exception):
    """Why a file cannot be read: the place and the fix, without any of the file's values."""


def read(path: Path) -> Any:
    """The document of a file; None if it is empty. Raises `UnreadableError`, `OSError`."""
    if path.stat().st_size > _LARGEST_MIB << 20:
        raise UnreadableError(f"it is larger than {_LARGEST_MIB} MiB: move what does not belong")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeError:
        raise UnreadableError("it is not in UTF-8: save it in that encoding") from None
    try:
        _check_shape(text)
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise UnreadableError(_described(error)) from None


def _described(error: yaml.YAMLError) -> str:
    """Where and why YAML is invalid, without the surrounding text, which may be secret."""
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}: " if mark is not None else ""
    problem = getattr(error, "problem", None) or "a character that is not allowed in text"
    own = isinstance(error, _RejectedError)
    return f"{place}{problem}" if own else f"it is not valid YAML: {place}{problem}"


class _RejectedError(yaml.MarkedYAMLError):
    """Valid YAML that is not read here."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


def _check_shape(text: str) -> None:
    """Checks documents, depth, aliases and tags event by event, before anything is built."""
    documents, total, depth = 0, 0, 0
    open_anchors: list[tuple[str | None, int]] = []
    sizes: dict[str, int] = {}
    for event in yaml.parse(text, _SafeLoader):
        mark = event.start_mark
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            _reject_document(event, documents)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in {anchor for anchor, _ in open_anchors}:
                raise _RejectedError(f"the value of &{event.anchor} contains itself", mark)
            total += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.CollectionStartEvent | yaml.ScalarEvent):
            _reject_tag(event)
            total += 1
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                open_anchors.append((event.anchor, total))
            elif event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            anchor, before = open_anchors.pop()
            if anchor:
                sizes[anchor] = total - before + 1
        if depth > _DEEPEST:
            raise _RejectedError(f"more than {_DEEPEST} nested tables or lists", mark)
        if total > _MOST_VALUES:
            raise _RejectedError(f"more than {_MOST_VALUES:,} values, aliases counted", mark)


def _reject_document(event: yaml.DocumentStartEvent, number: int) -> None:
    if number > 1:
        problem = "a second document begins: write one, without `---`"
        raise _RejectedError(problem, event.start_mark)
    if event.version or event.tags:
        raise _RejectedError("a line that begins with `%`: remove it", event.start_mark)


def _reject_tag(event: yaml.NodeEvent) -> None:
    tag = getattr(event, "tag", None)
    if tag is not None and tag != "!":
        raise _RejectedError("a tag (`!`): remove it, or put the text in quotes", event.start_mark)


class _Loader(_SafeLoader):  # type: ignore[misc, valid-type]
    """Text, true and false, plain numbers, lists, and tables with distinct text keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.value == "<<":
                raise _RejectedError(
                    "`<<` is a key to some readers, and others merge tables: write the values out",
                    key_node.start_mark,
                )
            key = self.construct_object(key_node) if key_node.tag == _PLAIN else key_node.value
            if not isinstance(key, str):
                raise _RejectedError(
                    "a key that is not text: put it in quotes", key_node.start_mark
                )
            if key in seen:
                raise _RejectedError(f"the key `{key}` is written twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]


def _scalar(_loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    text: str = node.value
    if _NULL.fullmatch(text):
        raise _RejectedError("a value is missing: write one, or remove the key", node.start_mark)
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _OLD_SWITCH.fullmatch(text):
        raise _RejectedError(
            "text to some parsers and a boolean to others: write true or false, or use quotes",
            node.start_mark,
        )
    if _SHORT_DATE.fullmatch(text):
        raise _RejectedError(
            "a date to some readers and text to others: write it as 2026-01-02, or quotes",
            node.start_mark,
        )
    if _NUMBER_LIKE.fullmatch(text) or _TIMESTAMP.fullmatch(text):
        raise _RejectedError(
            "a number to some parsers and text to others: write a plain number such as 400 or "
            "0.5, or use quotes",
            node.start_mark,
        )
    return text


_PLAIN = "ping8:plain"
_Loader.yaml_implicit_resolvers = {None: [(_PLAIN, re.compile(r"(?s).*"))]}
_Loader.add_constructor(_PLAIN, _scalar)
