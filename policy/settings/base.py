"""The base of every settings model: strictness, camelCase keys and small value types."""

import datetime
import ipaddress
import json
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from policy.settings import names
from policy.settings.problems import nearest


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The name of a type in the reference, and the unit of its values."""

    name: str | None = None
    unit: str = ""


class Named(Protocol):
    """Something with a name."""

    @property
    def name(self) -> str:
        """Unique among its kind."""


T = TypeVar("T", bound=Named)


def named(items: Iterable[T], name: str) -> T:
    """The item of that name; a KeyError with the name if there is none.

    A bare `next` would end the loop of a caller that is a generator.
    """
    return {item.name: item for item in items}[name]


def unused(items: Iterable[T], used: Set[str]) -> Iterator[tuple[int, T]]:
    """Items whose name is not in use, each with its index.

    None if a name in use is unknown: that is reported, and one of these may be what was meant.
    """
    listed = list(items)
    if used <= {item.name for item in listed}:
        yield from ((i, item) for i, item in enumerate(listed) if item.name not in used)


def unit(name: str) -> Kind:
    """The unit of a number."""
    return Kind(unit=name)


class Model(BaseModel):
    """A frozen model that rejects unknown keys; a stack file writes its fields in camelCase."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


MOMENT = "%Y-%m-%dT%H:%M:%SZ"
"""The form of a `Moment`."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration: str) -> int:
    """Seconds of a duration such as `30s`, `5m`, `24h` or `7d`."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def _duration(text: object) -> object:
    if not isinstance(text, str) or not re.fullmatch(r"[1-9][0-9]{0,5}[smhd]", text):
        raise ValueError("write a whole number and a unit: 30s, 5m, 24h or 7d")
    return text


def _moment(text: object) -> object:
    try:
        return f"{datetime.datetime.strptime(str(text), MOMENT):{MOMENT}}"
    except ValueError:
        raise ValueError('write a time in UTC, in quotes: "2026-12-01T02:30:00Z"') from None


def stamp(moment: str) -> str:
    """A `Moment` as a part of names: `20261201T023000Z`."""
    return re.sub("[-:]", "", moment)


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", text):
        raise ValueError("use 2 to 32 lower-case letters, digits and inner hyphens, a letter first")
    return text


def _cidr(text: str) -> str:
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError("write an IPv4 network such as 198.51.100.0/28") from None
    if network.version != 4:
        raise ValueError("write an IPv4 network: the platform only supports IPv4")
    if "/" in text and str(network) != text.strip():
        raise ValueError(f"the address has bits set outside its prefix: did you mean {network}?")
    return str(network)


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text.strip()))
    except ValueError:
        raise ValueError("write an IPv4 address such as 10.8.0.20") from None


def _email(text: str) -> str:
    local, at, domain = text.strip().rpartition("@")
    if not at or not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}", local):
        raise ValueError("write one e-mail address such as dmarc@example.com")
    return f"{local}@{names.host_name(domain)}"


@cache
def regions() -> tuple[str, ...]:
    """The regions of EC2, from botocore's list of endpoints."""
    file = Path(__file__).parent / "data" / "regions.json"
    return tuple(json.loads(file.read_text("utf-8")))


def _region(text: str) -> str:
    if text in regions():
        return text
    near = nearest(text, regions())
    raise ValueError(
        f"AWS has no such region; did you mean {near}?"
        if near
        else "write an AWS region such as eu-central-1"
    )


def _pattern(pattern: str, fix: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(fix)
        return text

    return AfterValidator(check)


Duration = Annotated[str, BeforeValidator(_duration), Kind(name="duration", unit="s, m, h or d")]
"""A whole number with a unit, `s`, `m`, `h` or `d`; KumoMTA and systemd both read it."""

Moment = Annotated[str, BeforeValidator(_moment), Kind(name="time", unit="UTC")]
"""A time in UTC; as text, an earlier one sorts before a later one."""

Name = Annotated[str, AfterValidator(_name), Kind(name="name")]
"""A name of a source, pool, brand or proxy host; it becomes part of resource and file names."""

HostName = Annotated[str, AfterValidator(names.host_name), Kind(name="domain name")]
"""A full host or domain name, normalised to lower case and ASCII, without its last dot."""

EhloName = Annotated[str, AfterValidator(names.relative_or_full), Kind(name="host name")]
"""A full host name, or only its first label."""

RecordName = Annotated[str, AfterValidator(names.record_name), Kind(name="domain name")]
"""A domain name whose labels may contain underscores."""

Label = Annotated[str, AfterValidator(names.label), Kind(name="label")]
"""One label of a domain name: a DKIM selector, or the first label of a host."""

Cidr = Annotated[str, AfterValidator(_cidr), Kind(name="IPv4 network")]
"""An IPv4 network without host bits; a bare address is its /32."""

Address = Annotated[str, AfterValidator(_address), Kind(name="IPv4 address")]
"""One IPv4 address."""

Email = Annotated[str, AfterValidator(_email), Kind(name="e-mail address")]
"""One e-mail address."""

EmailOrDomain = Annotated[
    str,
    AfterValidator(lambda text: _email(text).lower() if "@" in text else names.host_name(text)),
    Kind(name="domain name or e-mail address"),
]
"""A whole domain, or one e-mail address."""

Region = Annotated[str, AfterValidator(_region), Kind(name="AWS region")]
"""An AWS region."""

AllocationId = Annotated[
    str,
    _pattern(
        r"eipalloc-[0-9a-f]{8,32}", "write an allocation id such as eipalloc-0123456789abcdef0"
    ),
    Kind(name="allocation id"),
]
"""An Elastic IP that exists already."""

ZoneId = Annotated[
    str,
    _pattern(r"Z[0-9A-Z]{1,31}", "write the id of a hosted zone such as Z0123456789ABCDEFGHIJ"),
    Kind(name="zone id"),
]
"""A Route 53 hosted zone."""

ImageId = Annotated[
    str,
    _pattern(r"ami-[0-9a-f]{8,32}", "write an image id such as ami-0123456789abcdef0"),
    Kind(name="image id"),
]
"""An AMI."""

InstanceType = Annotated[
    str,
    _pattern(r"[a-z0-9-]+\.[a-z0-9-]+", "write an EC2 instance type such as t4g.small"),
    Kind(name="instance type"),
]
"""An EC2 instance type."""

Percent = Annotated[int, Field(ge=1, le=99), unit("percent")]
"""A share in percent."""

Share = Annotated[float, Field(gt=0, le=1), unit("share of 1")]
"""A share of one."""
