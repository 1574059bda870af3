"""Reads a stack file without Pulumi, for commands that need settings alone."""

from pathlib import Path

import yaml

from policy.errors import UserError
from policy.settings import Settings, load
from policy.settings.domain_list import yaml_problem
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
    path = directory / f"Pulumi.{stack}.yaml"
    known = stack_names(directory)
    if stack not in known:
        near = nearest(stack, known)
        mend = f"did you mean {near}?" if near else f"there are: {', '.join(known) or 'none'}"
        raise UserError(f"stack {stack!r}: no file {path.name} in {directory.name}/; {mend}")
    config = _config(path)
    region = config.get("aws:region")
    return load(
        from_stack_file(config),
        environment=stack,
        region=region if isinstance(region, str) else None,
        directory=directory,
    )


def _config(path: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path.name}: it cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path.name}: it is not valid YAML: {yaml_problem(error)}") from None
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict):
        raise UserError(f"{path.name}: write the settings under `config:`, as in Pulumi.dev.yaml")
    return {str(key): value for key, value in config.items()}
