"""Templates: kumod embeds MiniJinja 2.21; the Python package of that version is the same engine.

Its maps keep their order where kumod's are sorted.
"""

from typing import Any

import minijinja

from standins.kumod.errors import KumoError

_ENGINE = minijinja.Environment(debug=False)
# kumod is built without it.
_ENGINE.remove_filter("urlencode")


def render(source: str, context: dict[str, Any], *, dialect: str = "Jinja", name: str = "t") -> str:
    """Render a template; ``Static`` text stays as it is. A name that ends in .html escapes."""
    if dialect == "Static":
        return source
    if dialect != "Jinja":
        raise KumoError(f"template dialect {dialect} is not in this stand-in for kumod")
    try:
        return str(_ENGINE.render_str(source, name, **context))
    except minijinja.TemplateError as error:
        raise KumoError(_first_line(error)) from None


def check(source: str, kind: str) -> None:
    """Refuse a template for a type of record that does not parse, in kumod's words."""
    try:
        _ENGINE.add_template(kind, source)
    except minijinja.TemplateError as error:
        reason, _, _ = _first_line(error).rpartition(" (in ")
        number = error.line or 1
        place = f"(in template '{kind}' line {number}: '{source.splitlines()[number - 1]}')"
        where = f"compiling template:\n{source}\nfor log record type {kind}"
        raise KumoError(f"{where}: {reason} {place}") from None


def _first_line(error: minijinja.TemplateError) -> str:
    return str(error).partition("\n")[0]
