"""Which checks a deployment calls for, as tasks that can run side by side."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import checkdmarc.dnssec
import checkdmarc.utils

from ops.choice import chosen
from ops.doctor import checks
from ops.doctor.bulk import Sender
from ops.doctor.case import Case, Options
from ops.doctor.examination import Task, outcome
from ops.doctor.finding import Finding, check_texts
from ops.doctor.registry import CHECKS, About, Check
from ops.doctor.subjects import chosen_domains, sources_of
from ops.stack import Deployment

checks.load()


def checked(options: Options, deployment: Deployment) -> Options:
    """The options, once every name in them is known. Raises `UserError`."""
    texts = check_texts()
    groups = {text.group for text in texts.values()}
    for name in options.only:
        chosen("--only", name, texts.keys() | groups)
    for name in deployment.settings.doctor.accepted:
        chosen("doctor.accepted", name, texts)
    for name in options.domains:
        chosen("--domain", name, [domain.name for domain in deployment.settings.domains])
    return options


def tasks(case: Case) -> list[Task]:
    """Every check that is wanted, of everything that it is about; hosts take longest, so first."""
    case.resolver.use_for_spf()
    checkdmarc.utils.DNS_CACHE.clear()
    checkdmarc.dnssec.DNSSEC_CACHE.clear()
    wanted: dict[About[Any], list[Check[Any]]] = {}
    for each in CHECKS:
        if each.when(case.options) and case.options.needs(each.id):
            wanted.setdefault(each.about, []).append(each)
    found = [
        (about.together, task) for about, some in wanted.items() for task in _of(about, some, case)
    ]
    return [task for _, task in sorted(found, key=lambda each: not each[0])]


def _of(about: About[Any], some: Sequence[Check[Any]], case: Case) -> Iterator[Task]:
    for thing in about.things(case):
        subject = about.name(thing)
        single = [
            Task(
                checks=(each.id,),
                subject=subject,
                run=partial(each, thing, case),
                cause=case.reach.cause,
            )
            for each in some
        ]
        yield from [_together(single)] if about.together else single


def _together(single: Sequence[Task]) -> Task:
    def run() -> list[Finding]:
        return [finding for task in single for finding in outcome(task)]

    ids = tuple(check for task in single for check in task.checks)
    return Task(checks=ids, subject=single[0].subject, run=run)


def senders(case: Case) -> list[Sender]:
    """The chosen sender domains as providers judge them."""
    return [
        Sender(
            domain=domain.name,
            selector=case.settings.dkim_of(domain).active_selector,
            sources=[source.name for source in sources_of(domain, case.deployment)],
        )
        for domain in chosen_domains(case)
    ]
