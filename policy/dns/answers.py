"""What DNS answered to `ping8 domains check`: a file beside the stack file.

`up` decides by this file alone which sender domains may send, so the same files give the same
result, and no host asks DNS. A line is one domain, in order of names, and changes only when its
answers do: with 100,000 domains a change is still a small diff. It holds public DNS data and can
be committed. `prod.published.jsonl`:

    {"domain": "example.net", "since": "2026-11-29", "seen": {"bounce CNAME": [], ...}}

A name without a final dot lies in the domain. No value: the record is missing. No entry: not known.
"""

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from policy.dns import plan
from policy.dns.publish import Publication, of_records
from policy.errors import UserError
from policy.settings import Settings
from policy.settings.advice import is_trial
from policy.settings.domains import SenderDomain
from policy.settings.problems import shown

_ROUTE_53 = "awsdns"
"""In the SOA of every zone of Route 53: its name server, and the address of who runs it."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What DNS has for one sender domain, and the date (UTC) from which it had that."""

    domain: str
    since: datetime.date
    seen: dict[str, list[str]]

    def values(self, record: Publication) -> list[str] | None:
        """The values of a record's name and type; None if they are not known."""
        return self.seen.get(key_of(self.domain, record))


Answers = Mapping[str, Answer]
"""By sender domain."""

_LINE = TypeAdapter(Answer)
_FIX = "restore the line, or remove it and run `ping8 domains check`"


def key_of(domain: str, record: Publication) -> str:
    """A record's name and type as the file writes them."""
    inside = record.name.removesuffix(f".{domain}")
    return f"{record.name}. {record.type}" if inside == record.name else f"{inside} {record.type}"


def file_of(environment: str, directory: Path) -> Path:
    """Where the answers of a stack are."""
    return directory / f"{environment}.published.jsonl"


def read(path: Path) -> dict[str, Answer]:
    """The answers by domain; none if there is no file. Raises `UserError` for a wrong line."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise UserError(
            f"{place_of(path)}: {why}: restore the file, or remove it and run `ping8 domains check`"
        ) from None
    found: dict[str, Answer] = {}
    place = place_of(path)
    for number, line in enumerate(lines, 1):
        answer = parsed(line, f"{place} line {number}")
        if answer.domain in found:
            raise UserError(
                f"{place} line {number} = {answer.domain}: it is listed twice: keep the newer line"
            )
        found[answer.domain] = answer
    return found


def place_of(path: Path) -> str:
    """A file as messages name it."""
    return f"{path.parent.name}/{path.name}"


def parsed(line: str, place: str) -> Answer:
    """The answer in a line. Raises `UserError` that names the place."""
    try:
        return _LINE.validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{where}: {first['msg']}" if where else first["msg"]
        raise UserError(f"{place} = {shown(line)}: {reason}; {_FIX}") from None


def line_of(answer: Answer) -> str:
    """One line of the file."""
    data = {"domain": answer.domain, "since": f"{answer.since}", "seen": answer.seen}
    return json.dumps(data, ensure_ascii=False) + "\n"


def text_of(answers: Iterable[Answer]) -> str:
    """The whole file."""
    return "".join(line_of(one) for one in sorted(answers, key=lambda one: one.domain))


def questions(settings: Settings, domain: SenderDomain) -> tuple[Publication, ...]:
    """The records that others must publish: the domain's owner, or who delegates its zone to us."""
    records = of_records(plan.domain_records(settings, domain))
    return (*records, *_delegation(settings, domain))


def needed(settings: Settings, domain: SenderDomain) -> tuple[Publication, ...]:
    """Those of `questions` without which the domain's mail arrives badly or not at all."""
    records = of_records(plan.needed_records(settings, domain))
    return (*records, *_delegation(settings, domain))


def _delegation(settings: Settings, domain: SenderDomain) -> Iterator[Publication]:
    zone = settings.zone_of(domain)
    if zone is not None and not is_trial(settings):
        why = f"delegation of {zone} to Route 53, without which nobody sees its records"
        yield Publication(name=zone, type="SOA", value=_ROUTE_53, ttl=plan.KEY_TTL, why=why)


def is_published(record: Publication, values: Iterable[str]) -> bool:
    """Whether a record is among the values of its name and type."""
    found = [value.lower() for value in values]
    if record.type == "SOA":
        return any(record.value in value for value in found)
    return record.value.rstrip(".").lower() in found


def missing(settings: Settings, domain: SenderDomain, answer: Answer | None) -> tuple[str, ...]:
    """The needed records that DNS does not have, as far as is known, as the file names them."""
    return _missing(_needed(settings, domain), answer)


def _needed(settings: Settings, domain: SenderDomain) -> dict[str, Publication]:
    return {key_of(domain.name, record): record for record in needed(settings, domain)}


def _missing(records: Mapping[str, Publication], answer: Answer | None) -> tuple[str, ...]:
    """What nobody asked for yet counts as missing, but for the delegation of a zone in Route 53.

    There the update itself publishes the records, and a first one must not wait for them.
    """
    seen = answer.seen if answer else {}
    return tuple(
        key
        for key, record in records.items()
        if not (is_published(record, seen[key]) if key in seen else record.type == "SOA")
    )


def unpublished(settings: Settings, answers: Answers) -> frozenset[str]:
    """The sender domains whose needed records are not in DNS."""
    return frozenset(
        domain.name
        for domain, records in _each_needed(settings)
        if _missing(records, answers.get(domain.name))
    )


def _each_needed(settings: Settings) -> Iterator[tuple[SenderDomain, dict[str, Publication]]]:
    """Domains elsewhere with the keys of a brand need the same, which is written once for all."""
    of_brand: dict[str, dict[str, Publication]] = {}
    for domain in settings.domains:
        if not plan.is_elsewhere(settings, domain):
            yield domain, _needed(settings, domain)
            continue
        if domain.brand not in of_brand:
            of_brand[domain.brand] = _needed(settings, domain)
        yield domain, of_brand[domain.brand]


def with_answers(settings: Settings, directory: Path) -> Settings:
    """The settings, with the domains that DNS does not know yet. Raises `UserError`."""
    answers = read(file_of(settings.environment, directory))
    return settings.model_copy(update={"unpublished": unpublished(settings, answers)})
