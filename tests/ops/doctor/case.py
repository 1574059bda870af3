"""An examination of a deployment by its DNS and by what its hosts answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ops.doctor import plan
from ops.doctor.answers import Answers
from ops.doctor.case import Case, Options
from ops.doctor.examination import outcome
from ops.doctor.finding import Finding
from ops.doctor.resolver import Resolver
from ops.stack import Deployment, HostAccess
from policy.errors import UserError


def case_of(
    deployment: Deployment,
    server: str | Resolver | None = None,
    answers: Mapping[str, Any] | None = None,
    **options: Any,
) -> Case:
    """Hosts answer by verb; those without answers do not let anybody log in."""

    def agent(host: HostAccess, verb: Sequence[str]) -> Any:
        if answers is None:
            raise UserError(f"{host.name} ({host.address}): no SSH connection")
        return answers[verb[0]]

    resolver = server if isinstance(server, Resolver) else Resolver([server or "127.0.0.1:9"])
    resolver.use_for_spf()
    return Case(
        deployment=deployment,
        options=replace(Options(folder=Path(), exchanger="mx.example.net"), **options),
        resolver=resolver,
        ask=Answers(agent),
    )


def found(case: Case, subject: str) -> dict[str, Finding]:
    """What the wanted checks of a subject find, by check, the volume of a host added."""
    tasks = [task for task in plan.tasks(case) if task.subject == subject]
    findings = [finding for task in tasks for finding in outcome(task)]
    assert {each.check for each in findings} == {check for task in tasks for check in task.checks}
    return {each.check + each.subject.removeprefix(subject): each for each in findings}
