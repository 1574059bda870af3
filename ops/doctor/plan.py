"""Which checks a deployment calls for, as tasks that can run side by side."""

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import checkdmarc.utils

from ops.doctor import domain_dkim, domain_dmarc, domain_spf, egress, host, mta, repository
from ops.doctor.examination import Task
from ops.doctor.finding import Finding, unknown
from ops.doctor.proxy_dial import Dial
from ops.doctor.resolver import Resolver
from ops.doctor.webhook import webhook
from ops.stack import Deployment, Egress, HostAccess
from policy.settings.domains import SenderDomain


class Agent(Protocol):
    """Asks a host's agent over SSH; raises an exception whose text an operator can read."""

    def __call__(self, host: HostAccess, verb: Sequence[str]) -> Any:
        """The JSON that the verb printed."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What an operator chose on the command line."""

    folder: Path
    exchanger: str = "gmail.com"
    block_lists: tuple[str, ...] = ()
    ca_file: str | None = None
    test_event: bool = False
    domains: tuple[str, ...] = ()


def tasks(deployment: Deployment, options: Options, resolver: Resolver, agent: Agent) -> list[Task]:
    """Every check of the deployment; a question that several checks share is asked once."""
    resolver.use_for_spf()
    checkdmarc.utils.DNS_CACHE.clear()
    ask = _once(agent)
    return [
        *_egress(deployment, options, resolver, ask),
        *_domains(deployment, options, resolver, ask),
        *_mta(deployment, options, ask),
        *_hosts(deployment, ask),
        Task(
            check="repository.secrets",
            subject=options.folder.name,
            run=lambda: repository.repository(options.folder),
        ),
    ]


def _once(agent: Agent) -> Callable[..., Any]:
    """The agent's answers, each asked for once: checks of one host share a log-in."""
    locks: dict[tuple[str, ...], threading.Lock] = {}
    guard = threading.Lock()

    @functools.cache
    def cached(access: HostAccess, *verb: str) -> Any:
        return agent(access, verb)

    def ask(access: HostAccess, *verb: str) -> Any:
        with guard:
            lock = locks.setdefault((access.name, *verb), threading.Lock())
        with lock:
            return cached(access, *verb)

    return ask


def _egress(
    deployment: Deployment, options: Options, resolver: Resolver, ask: Callable[..., Any]
) -> list[Task]:
    found = []
    for source in deployment.egress.values():
        found.append(
            Task(
                check="egress.reverse-dns",
                subject=source.name,
                run=functools.partial(egress.reverse_dns, source, resolver),
            )
        )
        found.append(
            Task(
                check="egress.port-25",
                subject=source.name,
                run=functools.partial(_dial, deployment, source, options, resolver, ask),
            )
        )
        if options.block_lists:
            found.append(
                Task(
                    check="egress.block-lists",
                    subject=source.name,
                    run=functools.partial(
                        egress.block_lists, source, options.block_lists, resolver
                    ),
                )
            )
    return found


def _dial(
    deployment: Deployment,
    source: Egress,
    options: Options,
    resolver: Resolver,
    ask: Callable[..., Any],
) -> list[Finding]:
    exchangers = resolver.exchangers(options.exchanger)
    if not exchangers:
        return [unknown("egress.port-25", source.name, f"{options.exchanger} has no MX")]
    proxy = deployment.hosts[source.proxy]
    verb = ("dial", "--exchanger", exchangers[0], "--source-address", source.private)
    return egress.port_25(source, Dial.parse(ask(proxy, *verb, "--ehlo", source.ehlo)))


def _domains(
    deployment: Deployment, options: Options, resolver: Resolver, ask: Callable[..., Any]
) -> list[Task]:
    chosen = [
        domain
        for domain in deployment.settings.domains
        if not options.domains or domain.name in options.domains
    ]
    return [task for domain in chosen for task in _domain(domain, deployment, resolver, ask)]


def _domain(
    domain: SenderDomain, deployment: Deployment, resolver: Resolver, ask: Callable[..., Any]
) -> list[Task]:
    settings = deployment.settings
    publish = _publish(domain, deployment)
    pool = settings.pool(settings.brand(domain.brand).pool)
    sources = [deployment.egress[name] for name in pool.sources]
    mta_host = deployment.mta
    named = functools.partial(Task, subject=domain.name)
    runs: list[tuple[str, Callable[[], Sequence[Finding]]]] = [
        (
            "domain.spf",
            lambda: domain_spf.envelope_spf(domain, sources, resolver, publish=publish),
        ),
        (
            "domain.bounce",
            lambda: domain_spf.bounce_domain(
                domain,
                resolver,
                mta_host=settings.mta_host,
                mta_address=mta_host.address,
                publish=publish,
            ),
        ),
        ("domain.dmarc", lambda: domain_dmarc.dmarc(domain, resolver, publish=publish)),
        ("domain.alignment", lambda: [domain_dmarc.alignment(domain)]),
        ("domain.dnssec", lambda: [domain_dmarc.dnssec(domain, resolver)]),
        ("domain.mta-sts", lambda: [domain_dmarc.transport_security(domain, resolver)]),
    ]
    found = [named(check=check, run=run) for check, run in runs]
    for name, _ in domain.selectors():
        found.append(
            Task(
                check="domain.dkim-record",
                subject=f"{domain.name} {name}",
                run=functools.partial(
                    _selector, domain, name, resolver, publish, functools.partial(ask, mta_host)
                ),
            )
        )
    return found


def _selector(
    domain: SenderDomain,
    name: str,
    resolver: Resolver,
    publish: str,
    ask_mta: Callable[..., Any],
) -> list[Finding]:
    try:
        keys = cast("Mapping[str, str] | None", ask_mta("public-keys"))
    except Exception:  # the host's own checks tell why; DNS is judged all the same
        keys = None
    return domain_dkim.selector(domain, name, resolver, host_keys=keys, publish=publish)


def _publish(domain: SenderDomain, deployment: Deployment) -> str:
    if deployment.settings.zone_of(domain) is not None:
        return "pulumi up; if it changes nothing, look who else writes this Route 53 zone"
    records = [r for r in deployment.records_to_publish if r["name"].endswith(domain.name)]
    lines = "; ".join(f"{r['name']} {r['type']} {r['value']}" for r in records)
    return f"the owner of {domain.name} publishes: {lines}"


def _mta(deployment: Deployment, options: Options, ask: Callable[..., Any]) -> list[Task]:
    settings, access = deployment.settings, deployment.mta
    name, address = settings.mta_host, access.address
    verb = ("webhook", "--test-event") if options.test_event else ("webhook",)
    runs: list[tuple[str, Callable[[], Sequence[Finding]]]] = [
        (
            "mta.certificate",
            lambda: mta.certificate(
                name,
                address,
                ca_file=options.ca_file,
                days=settings.alarms.certificate_days,
                trial=settings.certificate.kind == "self-signed",
            ),
        ),
        ("mta.token", lambda: mta.injection(name, address)),
        ("mta.paths", lambda: mta.refused_paths(name, address)),
        (
            "mta.listener",
            lambda: mta.listener(name, address, takes_reports=settings.takes_reports()),
        ),
        ("mta.webhook", lambda: [webhook(name, ask(access, *verb))]),
    ]
    return [Task(check=check, subject=name, run=run) for check, run in runs]


def _hosts(deployment: Deployment, ask: Callable[..., Any]) -> list[Task]:
    found = []
    for access in deployment.hosts.values():
        found.append(
            Task(
                check="host.login",
                subject=access.name,
                run=functools.partial(host.everything, access, deployment.settings, ask),
            )
        )
        found.append(
            Task(
                check="host.drift",
                subject=access.name,
                run=functools.partial(_drift, access, ask),
            )
        )
    return found


def _drift(access: HostAccess, ask: Callable[..., Any]) -> list[Finding]:
    return [host.drift(access.name, ask(access, "drift")["differences"])]
