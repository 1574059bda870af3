"""Which checks a deployment calls for, as tasks that can run side by side."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import checkdmarc.dnssec
import checkdmarc.utils

from ops.doctor import (
    domain_dkim,
    domain_dmarc,
    domain_spf,
    domain_transport,
    egress,
    events,
    host,
    host_capacity,
    https,
    mta,
    repository,
)
from ops.doctor.answers import Agent, Answers
from ops.doctor.bulk import RULES, Sender
from ops.doctor.examination import Task
from ops.doctor.finding import Finding, check_texts, unknown
from ops.doctor.host_status import HostStatus
from ops.doctor.resolver import Resolver
from ops.doctor.roots import NO_LOGIN
from ops.doctor.webhook import webhook
from ops.stack import Deployment, Egress, HostAccess
from policy.errors import UserError
from policy.settings.domains import SenderDomain
from policy.settings.problems import nearest

_DKIM = ("domain.dkim-record", "domain.dkim-key", "domain.dkim-length")
_EGRESS = ("egress.address", "egress.reverse-dns", "egress.spf")
_DIAL = ("egress.port-25", "egress.seen-as")


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
        """Whether a check is wanted, or the lines about bulk senders come from it."""
        return self.wants(check) or any(
            check in rules and self.wants(line) for line, rules in RULES.items()
        )


def checked(options: Options, deployment: Deployment) -> Options:
    """The options, once every name in them is known. Raises `UserError`."""
    texts = check_texts()
    _known("--only", options.only, [*texts, *{text.group for text in texts.values()}])
    _known("--domain", options.domains, [d.name for d in deployment.settings.domains])
    return options


def _known(option: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            near = nearest(name, tuple(known))
            fix = f"did you mean {near}?" if near else f"there are: {', '.join(sorted(known))}"
            raise UserError(f"{option} {name}: not known; {fix}")


def tasks(deployment: Deployment, options: Options, resolver: Resolver, agent: Agent) -> list[Task]:
    """Every check that is wanted; those that wait for hosts come first."""
    resolver.use_for_spf()
    checkdmarc.utils.DNS_CACHE.clear()
    checkdmarc.dnssec.DNSSEC_CACHE.clear()
    ask = Answers(agent)
    found = [
        *_hosts(deployment, ask),
        *_mta(deployment, options, resolver, ask),
        *_egress(deployment, options, resolver, ask),
        *(
            task
            for domain in chosen_domains(deployment, options)
            for task in _domain(domain, deployment, options, resolver, ask)
        ),
        Task(
            checks=("repository.secrets",),
            subject=options.folder.name,
            run=partial(repository.repository, options.folder, deployment.stack),
        ),
    ]
    return [task for task in found if any(options.needs(check) for check in task.checks)]


def chosen_domains(deployment: Deployment, options: Options) -> list[SenderDomain]:
    """The sender domains to look at."""
    return [
        domain
        for domain in deployment.settings.domains
        if not options.domains or domain.name in options.domains
    ]


def sources_of(domain: SenderDomain, deployment: Deployment) -> list[Egress]:
    """Where the domain's mail leaves."""
    settings = deployment.settings
    pool = settings.pool(settings.brand(domain.brand).pool)
    return [deployment.egress[name] for name in pool.sources]


def senders(deployment: Deployment, options: Options) -> list[Sender]:
    """The chosen sender domains as providers judge them."""
    return [
        Sender(
            domain=domain.name,
            selector=domain.active_selector,
            sources=[source.name for source in sources_of(domain, deployment)],
        )
        for domain in chosen_domains(deployment, options)
    ]


def _one(check: str, subject: str, run: Callable[[], Finding]) -> Task:
    return Task(checks=(check,), subject=subject, run=lambda: [run()])


def _egress(
    deployment: Deployment, options: Options, resolver: Resolver, ask: Answers
) -> Iterator[Task]:
    for source in deployment.egress.values():
        yield Task(
            checks=_DIAL,
            subject=source.name,
            run=partial(_dial, deployment, source, options, resolver, ask),
        )
        yield Task(
            checks=_EGRESS,
            subject=source.name,
            run=partial(egress.names, source, resolver, deployment),
        )
        if options.block_lists:
            yield Task(
                checks=("egress.block-lists",),
                subject=source.name,
                run=partial(egress.block_lists, source, options.block_lists, resolver),
            )
    for proxy in deployment.settings.proxies:
        access = deployment.hosts[proxy.name]
        verb = ("dial", "--proxy", access.private_address, "--port", str(proxy.port))
        yield _one(
            "egress.proxy-reached",
            proxy.name,
            lambda name=proxy.name, verb=verb: egress.proxy_reached(  # type: ignore[misc]
                name, ask(deployment.mta, *verb), deployment
            ),
        )
        yield _one(
            "egress.proxy-closed",
            proxy.name,
            partial(_socks, proxy.name, proxy.port, access, deployment),
        )


def _dial(
    deployment: Deployment, source: Egress, options: Options, resolver: Resolver, ask: Answers
) -> list[Finding]:
    # Gmail's setting names a host; a mail domain does as well.
    exchanger = next(iter(resolver.exchangers(options.exchanger)), options.exchanger)
    verb = ("dial", "--exchanger", exchanger, "--source-address", source.private)
    answer = ask(deployment.hosts[source.proxy], *verb, "--ehlo", source.ehlo)
    return egress.port_25(source, egress.Dial.parse(answer), deployment)


def _socks(name: str, port: int, access: HostAccess, deployment: Deployment) -> Finding:
    state = https.port(access.address, port)
    reached = state is https.Port.OPEN
    # A host that answers nowhere proves nothing about a closed port.
    alive = reached or https.port(access.address, 22) is https.Port.OPEN
    return egress.socks(
        name,
        port,
        address=access.address,
        reached=reached if alive else None,
        deployment=deployment,
    )


def _domain(
    domain: SenderDomain,
    deployment: Deployment,
    options: Options,
    resolver: Resolver,
    ask: Answers,
) -> Iterator[Task]:
    name = domain.name
    for selector, _ in domain.selectors():
        yield Task(
            checks=_DKIM,
            subject=f"{name} {selector}",
            run=partial(
                domain_dkim.selector,
                domain,
                selector,
                resolver,
                deployment,
                partial(ask, deployment.mta, "public-keys"),
            ),
        )
    yield Task(
        checks=("domain.spf", "domain.spf-limits"),
        subject=name,
        run=partial(
            domain_spf.envelope_spf, domain, sources_of(domain, deployment), resolver, deployment
        ),
    )
    yield Task(
        checks=domain_dmarc.CHECKS,
        subject=name,
        run=partial(domain_dmarc.dmarc, domain, resolver, deployment),
    )
    yield Task(
        checks=("domain.bounce",),
        subject=name,
        run=partial(domain_spf.bounce_domain, domain, resolver, deployment),
    )
    yield _one("domain.dnssec", name, partial(domain_transport.dnssec, domain, resolver))
    yield _one(
        "domain.mta-sts",
        name,
        partial(domain_transport.transport_security, domain, resolver, ca_file=options.ca_file),
    )
    if options.authoritative:
        yield _one(
            "domain.name-servers",
            name,
            partial(domain_transport.authoritative, domain, resolver, deployment),
        )


def _mta(
    deployment: Deployment, options: Options, resolver: Resolver, ask: Answers
) -> Iterator[Task]:
    access, name = deployment.mta, deployment.settings.mta_host
    endpoint = https.Endpoint(host=name, address=access.address)
    verb = ("webhook", "--test-event") if options.test_event else ("webhook",)
    yield _one("mta.webhook", name, lambda: webhook(name, ask(access, *verb), deployment))
    yield Task(
        checks=("mta.listener", "mta.port-25"),
        subject=name,
        run=partial(mta.outside, endpoint, deployment, partial(_report_dial, deployment, ask)),
    )
    yield _one(
        "mta.certificate",
        name,
        partial(mta.certificate, endpoint, deployment, ca_file=options.ca_file),
    )
    yield _one("mta.address", name, partial(mta.address, resolver, deployment))
    yield _one("mta.token", name, partial(mta.injection, endpoint, deployment))
    yield _one("mta.paths", name, partial(mta.refused_paths, endpoint, deployment))


def _report_dial(deployment: Deployment, ask: Answers) -> egress.Dial:
    """Port 25 of the MTA as a proxy sees it."""
    source = next(iter(deployment.egress.values()))
    verb = ("dial", "--exchanger", deployment.mta.address, "--source-address", source.private)
    answer = ask(deployment.hosts[source.proxy], *verb, "--ehlo", source.ehlo)
    return egress.Dial.parse(answer)


_TOLD = ("host.units", "host.release", "host.disk", "host.memory", "host.clock", "host.reboot")
_TOLD_BY_MTA = (
    "host.backlog-room",
    "host.version",
    "mta.events",
    "mta.dead-letters",
    "mta.queue-age",
)


def _hosts(deployment: Deployment, ask: Answers) -> Iterator[Task]:
    for access in deployment.hosts.values():
        told = (*_TOLD, *(_TOLD_BY_MTA if access.role == "mta" else ()))
        yield Task(
            checks=("host.login", *told),
            subject=access.name,
            run=partial(_told, access, told, deployment, ask),
        )
        yield Task(
            checks=("host.drift", "host.modes"),
            subject=access.name,
            run=partial(_drift, access, deployment, ask),
        )


def _told(
    access: HostAccess, checks: Sequence[str], deployment: Deployment, ask: Answers
) -> list[Finding]:
    """All that one host reports about itself."""
    try:
        status = HostStatus.parse(ask(access, "status"))
    except UserError as error:
        return [
            host.no_login(access, str(error), deployment),
            *(unknown(check, access.name, NO_LOGIN) for check in checks),
        ]
    found = [
        host.login(access),
        host.units(access, status),
        host.release(access, status, deployment),
        *host_capacity.disks(access, status, deployment),
        host_capacity.memory(access, status, deployment),
        host_capacity.clock(access, status, deployment),
        host.reboot(access, status),
    ]
    if access.role == "mta":
        found += [
            host_capacity.backlog_room(access, status, deployment),
            host.version(access, status, deployment),
            events.backlog(access.name, status, deployment),
            events.dead_letters(access.name, status, deployment),
            events.queue_age(access.name, status, deployment),
        ]
    return found


def _drift(access: HostAccess, deployment: Deployment, ask: Answers) -> list[Finding]:
    status = HostStatus.parse(ask(access, "status"))
    return host.drift(access, ask(access, "drift"), status, deployment)
