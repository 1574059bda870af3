"""What a receiver sees of a message, from its own copy or from the log and DNS."""

import email
import email.policy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dkim
import spf
from checkdmarc.utils import get_base_domain

from ops.doctor.resolver import LookupFailed, Resolver
from ops.stack import Deployment
from policy import record_names
from policy.settings.dkim import DkimKeys

Rows = dict[str, str]
"""What was judged, and the verdict with its reason."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A delivery as the receiver sees it; without `message` there is no copy here."""

    address: str
    ehlo: str
    tls: str | None
    sender: str
    message: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A DKIM signature; `why` it could not be judged, if it could not."""

    domain: str
    selector: str
    valid: bool
    why: str = ""

    def __str__(self) -> str:
        """The verdict, with domain, selector and reason."""
        why = f" ({self.why})" if self.why else ""
        return f"{'pass' if self.valid else 'fail'} d={self.domain} s={self.selector}{why}"


def by_the_log(deployment: Deployment, message: Mapping[str, Any]) -> Sight | None:
    """From the log record of an attempt; None before there is one."""
    for step in reversed(message["steps"]):
        if source := deployment.egress.get(step["source"] or ""):
            return Sight(
                address=source.public,
                ehlo=source.ehlo,
                tls=step["tls"],
                sender=str(message["sender"]),
            )
    return None


def by_its_copy(record: Path, mark: str) -> Sight | None:
    """From the file of a receiver on this machine, one line per message."""
    try:
        lines = record.read_text("utf-8").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        if mark in line and (seen := json.loads(line))["message"]:
            return Sight(
                address=seen["peer"],
                ehlo=seen["ehlo"],
                tls=seen["tls"],
                sender=seen["mail_from"],
                message=str(seen["message"]).encode("latin-1"),
            )
    return None


def verdicts(sight: Sight, name: str, keys: DkimKeys, resolver: Resolver) -> Rows:
    """Everything that a receiver judges."""
    place = sight.sender.rpartition("@")[2]
    rows = {"address": sight.address, "EHLO": sight.ehlo, "TLS": sight.tls or "none"}
    aligned: list[str] = []
    try:
        pointers = resolver.pointers(sight.address)
        agrees = pointers == [sight.ehlo]
        rows["EHLO"] += ", the PTR of the address" if agrees else f", but PTR {pointers or 'none'}"
        resolver.use_for_spf()
        result, why = spf.check2(i=sight.address, s=sight.sender, h=sight.ehlo)
        rows["SPF"] = f"{result} for {place}" + ("" if result == "pass" else f": {why}")
        if result == "pass":
            aligned.append(place)
        rows["DKIM"], signers = _signatures(sight, name, keys, resolver)
        rows["DMARC"] = _dmarc(name, aligned, signers, resolver)
    except LookupFailed as error:
        rows["DNS"] = f"not known: {error}"
    return rows


def _signatures(
    sight: Sight, place: str, keys: DkimKeys, resolver: Resolver
) -> tuple[str, list[str]]:
    """The verdict, and the domains whose signatures are good."""
    if sight.message is None:
        names = [name for name, _ in keys.signing()]
        missing = [s for s in names if not resolver.txt(record_names.dkim(s, place))]
        text = f"d={place} s={', '.join(names)}: "
        if missing:
            return f"fail, {text}no key in DNS for {', '.join(missing)}", []
        return f"signed, {text}keys are in DNS; no copy to verify", [place]
    found = list(signatures(sight.message, resolver))
    return "; ".join(map(str, found)) or "no signature", [one.domain for one in found if one.valid]


def signatures(message: bytes, resolver: Resolver) -> Iterator[Signature]:
    """Each DKIM signature of a message, judged by dkimpy and the records in DNS."""
    headers = email.message_from_bytes(message, policy=email.policy.compat32)

    def text_of(name: bytes, timeout: int = 5) -> bytes | None:  # noqa: ARG001 - as dkimpy calls it
        found = resolver.txt(name.decode("ascii", "replace"))
        return found[0].encode() if found else None

    verifier = dkim.DKIM(message)
    for index, value in enumerate(headers.get_all("DKIM-Signature", [])):
        tags, why = _tags(str(value)), ""
        try:
            valid = verifier.verify(index, dnsfunc=text_of)
        except dkim.DKIMException as error:
            valid, why = False, str(error)
        yield Signature(domain=tags.get("d", ""), selector=tags.get("s", ""), valid=valid, why=why)


def _tags(value: str) -> dict[str, str]:
    parts = (part.partition("=") for part in "".join(value.split()).split(";"))
    return {name: text for name, _, text in parts if name}


def _dmarc(name: str, by_spf: list[str], by_dkim: list[str], resolver: Resolver) -> str:
    records = resolver.txt(record_names.dmarc(name)) or resolver.txt(
        record_names.dmarc(get_base_domain(name))
    )
    record = next((text for text in records if text.startswith("v=DMARC1")), "")
    if not record:
        return "no record"
    tags = _tags(record)
    ways = [
        way
        for way, places, strict in (("SPF", by_spf, "aspf"), ("DKIM", by_dkim, "adkim"))
        if any(_aligned(place, name, strict=tags.get(strict) == "s") for place in places)
    ]
    policy = f"p={tags.get('p')}"
    return f"pass by {' and '.join(ways)}, {policy}" if ways else f"fail, {policy}: not aligned"


def _aligned(place: str, name: str, *, strict: bool) -> bool:
    same = place.lower() == name.lower()
    return same or (not strict and get_base_domain(place) == get_base_domain(name))
