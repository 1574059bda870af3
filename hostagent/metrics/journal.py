"""Log records that kumod could not write, and events that it could not queue.

It reports them only in its journal. A stranger who forges such a line can only raise an alarm.
"""

import re

from hostagent.errors import AgentError
from hostagent.host import Host

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_LINE = re.compile(r"\S+ +ERROR +\S+ +kumod::logging::\w+: ")
_SECONDS = 15.0
_NO_LINE = 1


def lost_records(host: Host, first: float, last: float) -> int:
    """From `first` to `last` (Unix time)."""
    result = host.commands.run(
        [
            "journalctl",
            "--unit=kumomta.service",
            f"--since=@{first:.6f}",
            f"--until=@{last:.6f}",
            "--grep=kumod::logging",
            "--output=cat",
            "--all",
            "--quiet",
        ],
        limit=_SECONDS,
    )
    if result.code not in {0, _NO_LINE}:
        raise AgentError(f"kumod's journal: {result.tail(1)}", "see `journalctl -u kumomta`")
    return sum(bool(_LINE.match(_COLOR.sub("", line))) for line in result.output.splitlines())
