"""One examination: the deployment, the operator's options, and what checks query."""

import contextlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ops.doctor.answers import Answers, Once
from ops.doctor.bulk import RULES
from ops.doctor.finding import check_texts
from ops.doctor.host_answers import Dial, HostStatus
from ops.doctor.reach import Reach
from ops.doctor.resolver import Resolver
from ops.nodes import asked
from ops.stack import Deployment, Egress, HostAccess
from policy.errors import UserError
from policy.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What an operator chose on the command line. Empty `only` and `domains` mean all."""

    folder: Path
    exchanger: str
    block_lists: tuple[str, ...] = ()
    ca_file: str | None = None
    test_event: bool = False
    authoritative: bool = False
    only: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()

    def wants(self, check: str) -> bool:
        """Whether the operator wants to see a check."""
        return not self.only or check in self.only or check_texts()[check].group in self.only

    def needs(self, check: str) -> bool:
        """Whether a check is wanted, or a wanted line about bulk senders needs it."""
        return self.wants(check) or any(
            check in rules and self.wants(line) for line, rules in RULES.items()
        )


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that a check needs besides what it is about."""

    deployment: Deployment
    options: Options
    resolver: Resolver
    ask: Answers
    _once: Once = field(default_factory=Once)

    @property
    def reach(self) -> Reach:
        """Whether this machine is at fault if a check cannot run."""
        return self._once("reach", lambda: Reach(self.deployment, self.resolver))

    @property
    def settings(self) -> Settings:
        """Settings of the deployment."""
        return self.deployment.settings

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """A value that several checks need, made once; its exception is shared, too."""
        return self._once(key, make)

    def status(self, host: HostAccess) -> HostStatus:
        """What a host reports about itself."""
        return HostStatus.parse(self.ask(host, "status"))

    def any_mta(self, *verb: str) -> Any:
        """What one of the MTA hosts answers that are alike; the last one's error if none does."""
        *others, last = self.deployment.mta_hosts
        for host in others:
            with contextlib.suppress(UserError):
                return self.ask(host, *verb)
        return self.ask(last, *verb)

    def every_mta(self, *verb: str) -> dict[str, Any]:
        """The answers of the MTA hosts that answer, by name; an error only if none does.

        `host.login` is about the others.
        """
        answers, failed = asked(self.deployment.mta_hosts, lambda host: self.ask(host, *verb))
        if not answers:
            raise failed[-1]
        return answers

    def dial(self, source: Egress, exchanger: str) -> Dial:
        """What an exchanger answers a source on its proxy."""
        verb = ("dial", "--exchanger", exchanger, "--source-address", source.private)
        proxy = self.deployment.hosts[source.proxy]
        return Dial.parse(self.ask(proxy, *verb, "--ehlo", source.ehlo))
