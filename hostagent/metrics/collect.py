"""A host's reports about itself, as named numbers.

The names are those of the table of metrics (`policy/metrics`) and of `ping8 doctor`. A metric that
is not available is left out with a reason: nothing here fails as a whole.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.metrics import certificate, disks, events, injection, kumod, proxy, shaping, system
from hostagent.metrics.configuration import Config
from hostagent.metrics.model import Counter, Metric, Oldest
from hostagent.web import Deadline, WebError

_SECONDS = 20.0
"""Time limit for all questions to kumod and the proxy."""


@dataclass
class Collected:
    """One snapshot of the host. `problems` says why something is missing, `failed` how much."""

    gauges: list[Metric] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failed: int = 0
    oldest: Oldest = field(default_factory=Oldest)

    def guard(self, what: str, collect: Callable[[], Iterable[Metric]]) -> None:
        """Add what is available."""
        with self._noted(what):
            self.gauges.extend(collect())

    def count(self, what: str, collect: Callable[[], Iterable[Counter]]) -> None:
        """The same for counters."""
        with self._noted(what):
            self.counters.extend(collect())

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        try:
            yield
        except (AgentError, WebError, OSError) as error:
            self.problems.append(f"{what}: {error}")
            self.failed += 1
        except Exception as error:
            self.problems.append(f"{what}: {type(error).__name__}: {error}")
            self.failed += 1


def collect(config: Config, host: Host, oldest: Oldest) -> Collected:
    """Everything available now; `oldest` is what the last run knew about the queue."""
    found = Collected(oldest=oldest)
    for name, volume in config.volumes.items():
        found.guard(f"disk {name}", partial(disks.disks, {name: volume}))
    found.guard("clock", lambda: system.clock(host))
    found.guard("reboot", lambda: [system.reboot_pending()])
    deadline = Deadline(_SECONDS)
    if config.role == "mta":
        _kumod(config, found, deadline)
        found.guard("dead letters", lambda: events.stored(config))
        found.guard("outbox", lambda: [*events.outbox(config), events.damaged(config)])
        found.guard("inbox", lambda: events.unread(config))
        found.guard("reconciliation", lambda: events.unknown(config))
        found.guard("log shipping", lambda: events.unshipped(config))
        found.guard("certificate", lambda: [certificate.days_left(config)])
        found.gauges.append(injection.injection_up(config))
    else:
        found.guard("memory", lambda: [system.memory()])
        _proxy(config, found, deadline)
    return found


def _kumod(config: Config, found: Collected, deadline: Deadline) -> None:
    state = kumod.liveness(config, deadline)
    found.gauges.extend(state)
    if not state[0].value:
        found.problems.append("kumod does not answer")
        return
    metrics: dict[str, Any] = {}
    try:
        metrics = kumod.metrics(config, deadline)
    except WebError as error:
        found.problems.append(f"kumod's metrics: {error}")
        return
    found.guard("kumod's metrics", lambda: kumod.gauges(metrics))
    if config.automation:
        found.guard("suspended sites", lambda: [shaping.suspended(config, deadline)])
    found.guard("events", lambda: [events.backlog(config, metrics)])
    found.guard("oldest message", lambda: _age(config, found, metrics, deadline))
    found.count("kumod's counters", lambda: kumod.counters(metrics, config))
    found.count("unclean stops", lambda: [events.unclean_stops(config)])


def _age(
    config: Config, found: Collected, metrics: Mapping[str, Any], deadline: Deadline
) -> list[Metric]:
    found.oldest = kumod.oldest(config, metrics, found.oldest, deadline)
    return [kumod.age(found.oldest)]


def _proxy(config: Config, found: Collected, deadline: Deadline) -> None:
    up = proxy.up(config)
    found.gauges.append(up)
    if not up.value:
        found.problems.append("KumoProxy does not answer")
        return
    try:
        metrics = proxy.metrics(config, deadline)
    except WebError as error:
        found.problems.append(f"the proxy's metrics: {error}")
        return
    found.guard("the proxy's connections", lambda: [proxy.connections(metrics)])
    found.count("the proxy's counters", lambda: proxy.counters(metrics))
