"""Dates of RFC 2822 as kumod reads them: a wrong day of the week or no zone is an error."""

import re
from datetime import UTC, datetime, timedelta, timezone

from standins.kumod.data import load
from standins.kumod.errors import KumoError

_MONTHS, _DAYS, _HOURS = (load("units")[kind] for kind in ("months", "days", "zones"))
_DATE = re.compile(
    r"(?:(?P<weekday>[a-z]{3})\s*,)?\s*(?P<day>\d{1,2})\s+(?P<month>[a-z]{3})\s+"
    r"(?P<year>\d{2}|\d{4})\s+(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?\s+"
    r"(?P<zone>[+-]\d{4}|[a-z]+)"
)


def parse_rfc2822(text: str) -> datetime:
    """The time in UTC; an unknown alphabetic zone counts as UTC."""
    plain = re.sub(r"\([^()]*\)", " ", text).strip().lower()
    match = _DATE.fullmatch(plain)
    if match is None or match["month"] not in _MONTHS:
        raise KumoError(f"input contains invalid characters: {text}")
    year = int(match["year"])
    if len(match["year"]) == 2:
        year += 2000 if year < 50 else 1900
    try:
        moment = datetime(
            year, _MONTHS.index(match["month"]) + 1, int(match["day"]), int(match["hour"]),
            int(match["minute"]), int(match["second"] or 0), tzinfo=_zone(match["zone"]),
        )  # fmt: skip
    except ValueError:
        raise KumoError(f"input is out of range: {text}") from None
    if match["weekday"] and _DAYS[moment.weekday()] != match["weekday"]:
        raise KumoError(f"no possible date and time matching input: {text}")
    return moment.astimezone(UTC)


def _zone(text: str) -> timezone:
    if text[0] in "+-":
        offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
        return timezone(offset if text[0] == "+" else -offset)
    return timezone(timedelta(hours=_HOURS.get(text, 0)))
