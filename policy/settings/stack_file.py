"""What the text of a stack file shows and Pulumi hides: which values are encrypted."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from policy.settings.problems import PROJECT, Problem, nearest
from policy.settings.raw import from_stack_file
from policy.settings.secret_values import given_secrets


def stack_file_problems(path: Path) -> tuple[Problem, ...]:
    """Secrets in plain text, and keys of a misspelt namespace, which Pulumi passes over.

    Pulumi hands a table over as one secret when a single value in it is encrypted, so that a plain
    one beside it shows in the file alone. A file that is absent or no YAML has nothing to say.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError):
        return ()
    config = content.get("config") if isinstance(content, Mapping) else None
    if not isinstance(config, Mapping):
        return ()
    keys = {str(key): value for key, value in config.items()}
    return (*given_secrets(from_stack_file(keys))[1], *_misspelt_namespaces(keys))


def _misspelt_namespaces(keys: Mapping[str, object]) -> tuple[Problem, ...]:
    problems = []
    for key in keys:
        namespace, colon, name = key.partition(":")
        if colon and namespace != PROJECT and nearest(namespace, [PROJECT]):
            mend = f"nothing reads this namespace; did you mean {PROJECT}:{name}?"
            problems.append(Problem(key=key, value="", mend=mend))
    return tuple(problems)
