"""Templates: kumod embeds MiniJinja 2.21; the Python package of that version is the same engine.

Its maps keep their order where kumod's are sorted.
"""

from typing import Any

import minijinja

from standins.kumod.errors import KumoError


def _engine() -> minijinja.Environment:
    engine = minijinja.Environment(debug=False)
    # kumod is built without it.
    engine.remove_filter("urlencode")
    return engine


_ENGINE = _engine()


def render(source: str, context: dict[str, Any], *, dialect: str = "Jinja", name: str = "t") -> str:
    """Expand a template; ``Static`` text is left alone. A name that ends in .html escapes."""
    if dialect == "Static":
        return source
    if dialect != "Jinja":
        raise KumoError(f"template dialect {dialect} is not in this stand-in for kumod")
    try:
        return str(_ENGINE.render_str(source, name, **context))
    except minijinja.TemplateError as error:
        raise KumoError(_first_line(error)) from None


def check(source: str, name: str) -> None:
    """Refuse a template that does not parse, in kumod's words."""
    try:
        _engine().add_template(name, source)
    except minijinja.TemplateError as error:
        reason, _, _ = _first_line(error).rpartition(" (in ")
        number = error.line or 1
        line = source.splitlines()[number - 1]
        raise KumoError(f"{reason} (in template '{name}' line {number}: '{line}')") from None


def _first_line(error: minijinja.TemplateError) -> str:
    return str(error).partition("\n")[0]
