"""Findings as one self-contained HTML page, with a picture of the topology."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from itertools import groupby
from string import Template

from ops.doctor.finding import WORST_FIRST, Finding, Status, worst_first
from ops.stack import Deployment


def page(findings: Iterable[Finding], deployment: Deployment, *, when: str) -> str:
    """The whole page; `when` is the time of the examination as text."""
    ordered = worst_first(findings)
    template = Template(resources.files("ops.doctor").joinpath("page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(f"{deployment.stack}: mail, {when}"),
        counts=_counts(ordered),
        topology=_topology(ordered, deployment),
        findings=_findings(ordered),
    )


def _counts(findings: Sequence[Finding]) -> str:
    numbers = {s: sum(finding.status is s for finding in findings) for s in WORST_FIRST}
    return "".join(f'<span class="{s}">{number} {s}</span>' for s, number in numbers.items())


def _topology(findings: Sequence[Finding], deployment: Deployment) -> str:
    def box(title: str, detail: str, *subjects: str) -> str:
        about = {f.status for f in findings if any(s in f.subject.split() for s in subjects)}
        status = next((s for s in WORST_FIRST if s in about), Status.UNKNOWN)
        return (
            f'<div class="box {status}"><b>{escape(title)}</b><small>{escape(detail)}</small></div>'
        )

    hosts = deployment.hosts
    mta = [box(h.name, f"MTA {h.address}", h.name) for h in hosts.values() if h.role == "mta"]
    proxies = [
        box(h.name, f"proxy {h.private_address}", h.name)
        for h in hosts.values()
        if h.role == "proxy"
    ]
    sources = [
        box(source.ehlo, f"{source.name} {source.public}", source.name)
        for source in deployment.egress.values()
    ]
    columns = [
        [box("PING8", str(deployment.settings.webhook.url), "webhook")],
        mta,
        proxies,
        sources,
    ]
    arrow = '<div class="arrow" aria-hidden="true">→</div>'
    return arrow.join(f'<div class="column">{"".join(column)}</div>' for column in columns)


def _findings(findings: Sequence[Finding]) -> str:
    trouble = [finding for finding in findings if finding.status is not Status.PASS]
    passes = sorted(
        (finding for finding in findings if finding.status is Status.PASS),
        key=lambda finding: finding.text.group,
    )
    parts = [_article(finding) for finding in trouble]
    for group, members in groupby(passes, key=lambda finding: finding.text.group):
        rows = "".join(
            f"<li><b>{escape(f.subject)}</b> {escape(f.text.title)}: {escape(f.saw)}</li>"
            for f in members
        )
        parts.append(
            f'<details><summary class="pass">{escape(group)}: passed</summary>'
            f"<ul>{rows}</ul></details>"
        )
    return "".join(parts)


def _article(finding: Finding) -> str:
    rows = [
        ("saw", finding.saw),
        ("expected", finding.expected),
        ("why", finding.text.why),
        ("mend", finding.mend),
    ]
    body = "".join(
        f"<dt>{label}</dt><dd>{f'<code>{escape(text)}</code>' if label == 'mend' else escape(text)}"
        "</dd>"
        for label, text in rows
        if text
    )
    return (
        f'<article class="{finding.status}"><header>{finding.status}: {escape(finding.subject)} '
        f"{escape(finding.text.title)} <small>{finding.check}</small></header><dl>{body}</dl>"
        "</article>"
    )
