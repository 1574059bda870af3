"""Templates: kumod embeds MiniJinja; Jinja2 reads the same language where it matters here."""

from __future__ import annotations

from typing import Any

import jinja2

from standins.kumod.errors import KumoError

_TEXT = jinja2.Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701 - not HTML
_HTML = jinja2.Environment(autoescape=True, keep_trailing_newline=True)


def render(source: str, context: dict[str, Any], *, dialect: str = "Jinja", html: bool = False
           ) -> str:  # fmt: skip
    """Expand a template; ``Static`` text is left alone."""
    if dialect == "Static":
        return source
    if dialect != "Jinja":
        raise KumoError(f"template dialect {dialect} is not in this stand-in for kumod")
    try:
        return (_HTML if html else _TEXT).from_string(source).render(context)
    except jinja2.TemplateError as error:
        raise KumoError(f"template error: {error}") from None
