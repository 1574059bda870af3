"""Finds plain-text secrets in a stack file, under any key."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

Path = tuple[str | int, ...]
"""Where a value is in the stack file: `("pools", 1, "sources", "x")`."""

_PRIVATE_KEY = "PRIVATE KEY"
_KNOWN_FORMS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{36}"
    r"|\bgithub_pat_[A-Za-z0-9_]{40}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10}"
    r"|\bpul-[0-9a-f]{40}\b"
)
_WORD = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
_TELLING_NAME = re.compile(
    r"(token|secret|password|passwd|credential|api_?key|access_?key|signature)", re.I
)
_NAMES_A_PLACE = re.compile(r"(file|path)s?$", re.I)
_ENCRYPTED = {"secure", "ciphertext"}
"""Keys of Pulumi's own tables with an encrypted value."""

_QUERY = re.compile(r"[?&]([^=&]+)=([^&]{8,})")
_LEAST_ENTROPY = 3.8

PUBLIC_PLACES: frozenset[tuple[str, ...]] = frozenset(
    {("operators", "sshKeys"), ("certificate", "chain"), ("spf", "otherTxt"), ("spf", "record")}
)
"""Places where long random-looking text is public: keys, certificates, verification records."""


def looks_secret(text: str) -> bool:
    """Whether a text has the form of a credential, or is as random as one."""
    if _PRIVATE_KEY in text or _KNOWN_FORMS.search(text):
        return True
    if any(_TELLING_NAME.search(name) for name, _ in _QUERY.findall(text)):
        return True
    return any(_is_random(word) for word in _WORD.findall(text))


def _is_random(word: str) -> bool:
    kinds = (re.search("[a-z]", word), re.search("[A-Z]", word), re.search("[0-9]", word))
    if not all(kinds):
        return False
    counts = Counter(word).values()
    entropy = -sum(n / len(word) * math.log2(n / len(word)) for n in counts)
    return entropy >= _LEAST_ENTROPY


def find_plain_secrets(value: object, path: Path = (), *, by_name: bool = False) -> Iterator[Path]:
    """Paths of every text that is probably a secret; with `by_name`, also judged by key names."""
    if isinstance(value, str):
        if _is_suspect(value, path, by_name=by_name):
            yield path
    elif isinstance(value, Mapping):
        if len(value) == 1 and set(value) <= _ENCRYPTED:
            return
        for key, item in value.items():
            yield from find_plain_secrets(item, (*path, str(key)), by_name=by_name)
    elif isinstance(value, Sequence):
        for i, item in enumerate(value):
            yield from find_plain_secrets(item, (*path, i), by_name=by_name)


def _is_suspect(text: str, path: Path, *, by_name: bool) -> bool:
    if _PRIVATE_KEY in text:
        return True
    if by_name and any(
        _TELLING_NAME.search(part) and not _NAMES_A_PLACE.search(part)
        for part in path
        if isinstance(part, str)
    ):
        return True
    words = [part for part in path if isinstance(part, str)]
    pairs = set(itertools.pairwise(words))
    return not pairs & PUBLIC_PLACES and looks_secret(text)
