"""Sender domains as CSV, as databases and spreadsheets export them."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from policy.settings.yaml_file import UnreadableError

_TEXT_COLUMNS = ("name", "brand", "zone", "bounce", "feedback")


def read(path: Path) -> dict[int, object]:
    """A table of text by the line of each row; empty cells are left out.

    The first row names the columns: `name`, and any of `brand`, `zone`, `bounce`, `feedback`.
    Raises `UnreadableError`, `OSError`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _rows(file)
            line, columns = next(rows, (1, []))
            _check_columns(columns, line)
            return {line: _table(columns, row, line) for line, row in rows}
    except UnicodeError:
        raise UnreadableError("it is not in UTF-8: save it in that encoding") from None


def _rows(file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the line on which it begins."""
    rows = csv.reader(file, strict=True)
    line = 1
    try:
        for row in rows:
            if row:
                yield line, row
            line = rows.line_num + 1
    except csv.Error as error:
        raise UnreadableError(f"line {line}: it is not valid CSV: {error}") from None


def _check_columns(columns: Sequence[str], line: int) -> None:
    unknown = [name for name in columns if name not in _TEXT_COLUMNS]
    if "name" not in columns or unknown or len(set(columns)) < len(columns):
        what = f"column {unknown[0]!r}" if unknown else "the first row"
        raise UnreadableError(
            f"line {line}: {what}: name the columns once each, `name` and any of "
            f"{', '.join(_TEXT_COLUMNS[1:])}, separated by commas"
        )


def _table(columns: Sequence[str], row: Sequence[str], line: int) -> dict[str, str]:
    if len(row) != len(columns):
        raise UnreadableError(f"line {line}: as many values as columns are needed")
    return {
        column: value.strip() for column, value in zip(columns, row, strict=True) if value.strip()
    }
