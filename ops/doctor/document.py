"""Writes the table of checks into docs/doctor.md again: `python -m ops.doctor.document`."""

from itertools import groupby
from pathlib import Path

from ops.doctor.finding import check_texts

_BEGIN, _END = "<!-- checks -->\n", "<!-- end of checks -->\n"
_PATH = Path(__file__).resolve().parents[2] / "docs" / "doctor.md"


def text(document: str) -> str:
    """The document with the table as `checks.yaml` has it now."""
    before, _, rest = document.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{_table()}{_END}{after}"


def _table() -> str:
    lines: list[str] = []
    for group, checks in groupby(check_texts().items(), key=lambda item: item[1].group):
        lines += [
            f"\n### {group}\n",
            "| check | what a pass means | why |",
            "|---|---|---|",
        ]
        lines += [f"| `{check}` | {entry.title} | {entry.why} |" for check, entry in checks]
    return "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    _PATH.write_text(text(_PATH.read_text("utf-8")), "utf-8")
