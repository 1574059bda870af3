"""How commands print: on a terminal in its width, elsewhere each line whole."""

import sys

from rich.console import Console

_UNBOUNDED = 10_000


def console() -> Console:
    """For standard output. In a pipe nothing is wrapped: lines are for `grep` and for pasting."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=_UNBOUNDED)
