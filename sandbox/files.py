"""Files that the sandbox writes: from templates, and written atomically."""

import os
import tempfile
from pathlib import Path

import jinja2

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - none of them is HTML
)


def fill(template: str, **values: object) -> str:
    """A file of `templates/` with its values."""
    return _TEMPLATES.get_template(template).render(values)


def replace(path: Path, text: str | bytes) -> None:
    """Write a file atomically, readable only by its owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(number, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    Path(fresh).rename(path)
