"""Sender domains as CSV, as databases and spreadsheets export them."""

import csv
from collections.abc import Sequence
from pathlib import Path

from policy.settings.yaml_file import UnreadableError

_TEXT_COLUMNS = ("name", "brand", "zone", "bounce", "feedback")


def read(path: Path) -> list[object]:
    """A table of text for each row; empty cells are left out. Raises `UnreadableError`, `OSError`.

    The first row names the columns: `name`, and any of `brand`, `zone`, `bounce`, `feedback`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            _check_columns(rows.fieldnames or ())
            return [_table(row, rows.line_num) for row in rows]
    except UnicodeError:
        raise UnreadableError("it is not in UTF-8: save it in that encoding") from None
    except csv.Error as error:
        raise UnreadableError(f"it is not valid CSV: {error}") from None


def _check_columns(columns: Sequence[str]) -> None:
    unknown = [name for name in columns if name not in _TEXT_COLUMNS]
    if "name" not in columns or unknown or len(set(columns)) < len(columns):
        what = f"column {unknown[0]!r}" if unknown else "the first row"
        raise UnreadableError(
            f"line 1: {what}: name the columns once each, `name` and any of "
            f"{', '.join(_TEXT_COLUMNS[1:])}, separated by commas"
        )


def _table(row: dict[str, str], line: int) -> dict[str, str]:
    if None in row or None in row.values():
        raise UnreadableError(f"line {line}: as many values as columns are needed")
    return {column: value.strip() for column, value in row.items() if value.strip()}
