"""What a fault is: how it is planted, what must turn red by it, and the fix to be read."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ops.doctor.finding import Status
from tests.sandbox.e2e.doctor_site import Site

FAIL, WARN, UNKNOWN = Status.FAIL, Status.WARN, Status.UNKNOWN

NEWS, SHOP = "news.ping8.test", "shop.ping8.test"
MTA, PROXY, MTA_NAME = "mta-1", "proxy-1", "mta.mail.ping8.test"
REFRESH = "pulumi up --refresh -s sandbox"
PUSH = "pulumi config set push always -s sandbox && pulumi up -s sandbox"

Red = Mapping[tuple[str, str], Status]
Plant = Callable[[Site], Iterator[Site]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing broken. `red` begins with the check that is about it; all else stays as it was."""

    name: str
    plant: Plant
    red: Red
    fix: str

    @contextlib.contextmanager
    def planted(self, site: Site) -> Iterator[Site]:
        """The site with the fault; undone at the end."""
        with contextlib.contextmanager(self.plant)(site) as broken:
            yield broken

    @property
    def first(self) -> tuple[str, str]:
        """The check that is about the fault."""
        return next(iter(self.red))


class Faults:
    """Collects the faults of a module."""

    def __init__(self) -> None:
        self.all: list[Fault] = []

    def fault(self, red: Red, fix: str = REFRESH) -> Callable[[Plant], Plant]:
        """Registers a generator that plants, yields the site to look at, and undoes."""

        def register(plant: Plant) -> Plant:
            name = plant.__name__.strip("_").replace("_", " ")
            self.all.append(Fault(name=name, plant=plant, red=red, fix=fix))
            return plant

        return register


def bulk(*domains: str, only: tuple[str, ...] = ("gmail", "yahoo", "microsoft")) -> Red:
    """The lines about bulk senders of these domains."""
    return {(f"bulk.{provider}", domain): FAIL for domain in domains for provider in only}
