"""Templates are at their live paths below `templates/<tree>/`: the folder looks like a host."""

import re
from functools import cache
from pathlib import Path

from policy.release import ReleaseFile

_ROOT = Path(__file__).parent / "templates"
_FIELD = re.compile(r"\{\{ ([a-z_]+) \}\}")


@cache
def _text(tree: str, path: str) -> str:
    return (_ROOT / tree / path.lstrip("/")).read_text(encoding="utf-8")


def template_file(
    tree: str,
    path: str,
    *,
    mode: int = 0o644,
    secret: bool = False,
    effects: tuple[str, ...] = (),
    values: dict[str, str | int] | None = None,
) -> ReleaseFile:
    """The file at `path` with each `{{ field }}` replaced; the fields must match exactly."""
    given = values or {}
    text = _text(tree, path)
    if set(_FIELD.findall(text)) != set(given):
        raise KeyError(f"the template {tree}{path} has other fields than those passed")
    content = _FIELD.sub(lambda field: str(given[field[1]]), text)
    return ReleaseFile(
        path=path, content=content.encode(), mode=mode, secret=secret, effects=effects
    )
