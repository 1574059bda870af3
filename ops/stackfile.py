"""Reads a stack file without Pulumi, for commands that need only settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hostagent import durable
from ops.yaml_edit import Dumper
from policy.dns.answers import with_answers
from policy.errors import UserError
from policy.settings import Settings, load, stack_file
from policy.settings.problems import one_of
from policy.settings.raw import from_stack_file

STACKS = Path(__file__).resolve().parent.parent / "stacks"
"""Where `Pulumi.yaml` says that the stack files are (`stackConfigDir`)."""


def stack_names(directory: Path = STACKS) -> tuple[str, ...]:
    """The stacks that have a file, in order."""
    files = directory.glob("Pulumi.*.yaml")
    return tuple(sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files))


def read_stack_file(stack: str, directory: Path = STACKS) -> Settings:
    """The settings of a stack. Encrypted secrets count as given; their values stay unknown.

    Raises `UserError` if there is no such file, or a wrong line in the answers of DNS beside it;
    `SettingsError` if its settings are wrong.
    """
    # Pulumi also takes `organization/project/stack` and `organization/stack`.
    stack = stack.rpartition("/")[2]
    path = directory / f"Pulumi.{stack}.yaml"
    known = stack_names(directory)
    if stack not in known:
        fix = one_of(known, stack)
        raise UserError(f"stack {stack!r}: no file {path.name} in {directory.name}/; {fix}")
    file = stack_file.read_stack_file(path)
    settings = load(
        from_stack_file(file.config),
        environment=stack,
        region=file.region,
        directory=directory,
    )
    return with_answers(settings, directory)


def write_setting(path: Path, key: str, value: Mapping[str, Any]) -> None:
    """Put a table of the stack file in the place of the one there; the other lines stay as is.

    `pulumi config set` would write the whole file again, without blank lines and with other dates.
    """
    lines = path.read_text("utf-8").splitlines(keepends=True)
    root: Any = yaml.compose("".join(lines), Loader=yaml.SafeLoader)
    config = next(node for name, node in root.value if name.value == "config")
    old = [pair for pair in config.value if pair[0].value in (key, key.partition(":")[2])]
    name, node = old[0] if old else config.value[-1]
    indent = " " * config.value[0][0].start_mark.column
    text = yaml.dump({key: dict(value)}, Dumper=Dumper, sort_keys=False, width=200)
    new = [f"{indent}{line}\n" for line in text.splitlines()]
    end = _last_line(node) + 1
    start = name.start_mark.line if old else end
    if not old and not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    save(path, "".join([*lines[:start], *new, *lines[end:]]))


def save(path: Path, text: str) -> None:
    """Replaces a stack file, or one beside it, with one rename: never with a part of the text."""
    durable.write_bytes(path.resolve(), text.encode(), mode=path.stat().st_mode & 0o777)


def _last_line(node: yaml.Node) -> int:
    """Where a value ends; a block's own end mark is behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    mark = node.end_mark
    return mark.line - 1 if mark.column == 0 and mark.line else mark.line
