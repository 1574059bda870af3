"""Reads a stack file without Pulumi, for commands that need settings alone."""

from pathlib import Path

from policy.errors import UserError
from policy.settings import Settings, load, stack_file
from policy.settings.problems import nearest
from policy.settings.raw import from_stack_file

STACKS = Path(__file__).resolve().parent.parent / "stacks"
"""Where `Pulumi.yaml` says that the stack files are (`stackConfigDir`)."""


def stack_names(directory: Path = STACKS) -> tuple[str, ...]:
    """The stacks that have a file, in order."""
    files = directory.glob("Pulumi.*.yaml")
    return tuple(sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files))


def read_stack_file(stack: str, directory: Path = STACKS) -> Settings:
    """The settings of a stack. Encrypted secrets count as given; their values stay unknown.

    Raises `UserError` where there is no such file, `SettingsError` for what it says.
    """
    # Pulumi also takes `organization/project/stack` and `organization/stack`.
    stack = stack.rpartition("/")[2]
    path = directory / f"Pulumi.{stack}.yaml"
    known = stack_names(directory)
    if stack not in known:
        near = nearest(stack, known)
        fix = f"did you mean {near}?" if near else f"there are: {', '.join(known) or 'none'}"
        raise UserError(f"stack {stack!r}: no file {path.name} in {directory.name}/; {fix}")
    file = stack_file.read_stack_file(path)
    return load(
        from_stack_file(file.config),
        environment=stack,
        region=file.region,
        directory=directory,
    )
