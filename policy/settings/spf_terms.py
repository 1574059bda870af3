"""The terms of somebody else's SPF record (RFC 7208, 12), with ours added."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator

from policy.settings import names
from policy.settings.base import Kind
from policy.settings.txt import txt_value

VERSION = "v=spf1"

_LETTERS = r"[a-z0-9]"
_EXPAND = r"%\{[slodiphcrtv]\d*r?[.+,/_=-]*\}"
_MACROS = rf"(?:{_EXPAND}|%[%_-]|[!-$&-~])*"
_TOP = rf"(?:{_LETTERS}*[a-z]{_LETTERS}*|{_LETTERS}+-[a-z0-9-]*{_LETTERS})"
_DOMAIN = rf"{_MACROS}(?:\.{_TOP}\.?|{_EXPAND})"
_CIDR = r"(?:/(?:3[0-2]|[12]?[0-9]))?(?://(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"
_TERMS = {
    "all": "",
    "include": f":{_DOMAIN}",
    "a": f"(?::{_DOMAIN})?{_CIDR}",
    "mx": f"(?::{_DOMAIN})?{_CIDR}",
    "ptr": f"(?::{_DOMAIN})?",
    "exists": f":{_DOMAIN}",
    "ip4": ":.+",
    "ip6": ":.+",
}
_MECHANISM = re.compile(r"[+?~-]?([a-z0-9_.-]+)([:/].*)?", re.I)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.I)


def is_spf(text: str) -> bool:
    """Whether receivers treat a TXT value as an SPF record."""
    return text.lower() == VERSION or text.lower().startswith(f"{VERSION} ")


def spf_record(text: str) -> str:
    """A whole record in any form that consoles show, with one space between terms."""
    value = txt_value(text)
    if not is_spf(value):
        raise ValueError("write the domain's current record, starting with v=spf1")
    words = value.split()[1:]
    for word in words:
        _check(word)
    for name in ("redirect", "exp"):
        if sum(modifier(word)[0] == name for word in words) > 1:
            raise ValueError(
                f"{name}= may appear only once: remove one, or receivers ignore the whole record"
            )
    return " ".join([VERSION, *words])


def spf_domain(text: str) -> str:
    """The target of `include:`: a domain, possibly with macros."""
    if "%" in text and re.fullmatch(_DOMAIN, text, re.I):
        return text
    if ":" in text or "%" in text:
        raise ValueError("write only a domain; terms such as ip4:192.0.2.1 belong in `record`")
    return names.record_name(text)


def modifier(word: str) -> tuple[str, str]:
    """Lower-case name and value of a modifier such as `redirect=`; empty for other terms."""
    found = _MODIFIER.fullmatch(word)
    return (found[1].lower(), found[2]) if found else ("", "")


def merged(includes: Iterable[str], record: str | None) -> tuple[str, ...]:
    """The terms that add these domains to what the owner's record allows.

    Ours come first: the first match decides, and the owner's last term stays last.
    """
    ours = [f"include:{name}" for name in dict.fromkeys(includes)]
    if record is None:
        return (*ours, "~all")
    known = {term.lower() for term in ours}
    return (*ours, *(word for word in record.split()[1:] if _plain(word) not in known))


def looked_up(terms: Iterable[str]) -> Iterator[str]:
    """What each term with a look-up asks for: an include or a redirect by its
    name, anything else by the term itself."""
    words = [word.lower() for word in terms]
    ends = any(word.lstrip("+-~?") == "all" for word in words)
    for word in words:
        name, value = modifier(word)
        if name == "redirect" and not ends:
            yield value.removesuffix(".")
        elif not name:
            kind = re.split("[:/]", word.lstrip("+-~?"))[0]
            if kind == "include":
                yield word.partition(":")[2].removesuffix(".")
            elif kind in ("a", "mx", "ptr", "exists"):
                yield word


def _plain(word: str) -> str:
    return word.lower().removeprefix("+").removesuffix(".")


def _check(word: str) -> None:
    name, value = modifier(word)
    if name:
        pattern = _DOMAIN if name in ("redirect", "exp") else _MACROS
        good = re.fullmatch(pattern, value, re.I) is not None
    else:
        good = _is_mechanism(word)
    if not good:
        raise ValueError(f"{word} is not an SPF term (RFC 7208): correct or remove it")


def _is_mechanism(word: str) -> bool:
    found = _MECHANISM.fullmatch(word)
    kind, rest = (found[1].lower(), found[2] or "") if found else ("", "")
    if kind not in _TERMS or not re.fullmatch(_TERMS[kind], rest, re.I):
        return False
    if kind in ("ip4", "ip6"):
        try:
            network = ipaddress.ip_network(rest[1:], strict=False)
        except ValueError:
            return False
        return network.version == int(kind[2])
    return True


SpfRecord = Annotated[str, AfterValidator(spf_record), Kind(name="SPF record")]
"""A whole SPF record."""

SpfDomain = Annotated[str, AfterValidator(spf_domain), Kind(name="domain name")]
"""A target of `include:`."""
