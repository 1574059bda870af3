"""Where a secret is declared: one field, and the file that it is written to."""

import subprocess
from pathlib import Path

from policy.secrets import TEXTS

ROOT = Path(__file__).parents[2]
GENERATED = {"docs/settings.md", "stacks/stack.schema.json"}


def test_a_new_secret_touches_at_most_four_files() -> None:
    """Shown by the last one: `trace_key`. Documents that are generated do not count."""
    words = ("trace_key", "traceKey", "PING8_TRACE_KEY")
    patterns = [part for word in words for part in ("-e", word)]
    found = subprocess.run(
        ["git", "grep", "-lF", *patterns, "--", ".", ":!tests", ":!docs/events.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert len(set(found) - GENERATED) <= 4, found


def test_each_secret_has_its_own_name_in_stack_files() -> None:
    assert len({text.key for text in TEXTS}) == len(TEXTS)
