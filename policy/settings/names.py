"""Normalises host and domain names: lower case, ASCII (IDNA 2008), no last dot."""

import re

import idna

LONGEST_NAME = 253
LONGEST_LABEL = 63
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_RECORD_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")


class InvalidNameError(ValueError):
    """A name that DNS or mail cannot use. The message is the fix."""


def host_name(text: str) -> str:
    """A host or domain name of at least two labels, normalised."""
    name = _ascii(text)
    labels = name.split(".")
    if len(labels) < 2:
        raise InvalidNameError("write the full name, such as mail.example.com")
    if labels[-1].isdigit():
        raise InvalidNameError("write a name; an IP address does not fit here")
    _check(name, labels, _LABEL)
    return name


def relative_or_full(text: str) -> str:
    """A full host name or only its first label, normalised."""
    name = _ascii(text)
    _check(name, name.split("."), _LABEL)
    return name


def record_name(text: str) -> str:
    """A name that may have labels with underscores, such as `_spf.example.com`, normalised."""
    name = _ascii(text)
    labels = name.split(".")
    if len(labels) < 2:
        raise InvalidNameError("write the full name, such as _spf.example.com")
    _check(name, labels, _RECORD_LABEL)
    return name


def label(text: str) -> str:
    """One label: a selector, or a host's first label."""
    name = text.strip().lower()
    if "." in name:
        raise InvalidNameError("write one label without dots")
    _check(name, [name], _LABEL)
    return name


def lies_in(name: str, zone: str) -> bool:
    """Whether a normalised name is the zone or below it."""
    return name == zone or name.endswith(f".{zone}")


def _ascii(text: str) -> str:
    name = text.strip().lower().removesuffix(".")
    if name.isascii():
        return name
    try:
        # UTS 46 maps what people type (ideographic full stops, wide letters) before IDNA 2008.
        return idna.encode(name, uts46=True).decode("ascii").lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidNameError(f"write a valid internationalised name ({error})") from None


def _check(name: str, labels: list[str], pattern: re.Pattern[str]) -> None:
    if len(name) > LONGEST_NAME:
        raise InvalidNameError(f"shorten it to {LONGEST_NAME} characters; it has {len(name)}")
    for part in labels:
        if not part:
            raise InvalidNameError("remove the empty label (two dots together, or nothing at all)")
        if len(part) > LONGEST_LABEL:
            raise InvalidNameError(
                f"shorten the label {part[:20]}... to {LONGEST_LABEL} characters"
            )
        if not pattern.fullmatch(part):
            raise InvalidNameError("use only letters, digits and inner hyphens, separated by dots")
        if part.startswith("xn--"):
            _check_idna(part)


def _check_idna(part: str) -> None:
    try:
        idna.decode(part)
    except (idna.IDNAError, UnicodeError):
        raise InvalidNameError(f"{part} is not valid IDNA: write the name in Unicode") from None
