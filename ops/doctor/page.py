"""Findings as one self-contained HTML page, with a picture of the topology."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template

from ops.doctor.finding import WORST_FIRST, Finding, Status, worst_first
from ops.doctor.terminal import by_group
from ops.stack import Deployment


@dataclass(frozen=True, kw_only=True)
class Box:
    """One part of the topology, with the findings that are about it."""

    title: str
    detail: str
    findings: Sequence[Finding]

    @property
    def status(self) -> Status | None:
        """The worst; None where nothing was looked at."""
        found = {finding.status for finding in self.findings}
        return next((status for status in WORST_FIRST if status in found), None)

    def html(self) -> str:
        """The box, in the colour and with the word of its status."""
        status = self.status or "unseen"
        return (
            f'<div class="box {status}"><b>{escape(self.title)}</b>'
            f"<small>{escape(self.detail)}</small><i>{status}</i></div>"
        )


def page(findings: Iterable[Finding], deployment: Deployment, *, when: str) -> str:
    """The whole page; `when` is the time of the examination as text."""
    ordered = worst_first(findings)
    template = Template(resources.files("ops.doctor").joinpath("page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(f"Mail of {deployment.stack}"),
        when=escape(when),
        counts=_counts(ordered),
        topology=_topology(ordered, deployment),
        findings=_groups(ordered),
    )


def _counts(findings: Sequence[Finding]) -> str:
    numbers = {s: sum(finding.status is s for finding in findings) for s in WORST_FIRST}
    return "".join(
        f'<span class="{status if number else "none"}">{number} {status}</span>'
        for status, number in numbers.items()
    )


def _topology(findings: Sequence[Finding], deployment: Deployment) -> str:
    columns = [f'<div class="column">{_boxes(c)}</div>' for c in topology(findings, deployment)]
    ways = ("HTTPS", "SOCKS5", "", "port 25")
    arrows = [f'<div class="arrow"><span>{way}</span></div>' for way in ways]
    return columns[0] + "".join(a + c for a, c in zip(arrows, columns[1:], strict=True))


def _boxes(boxes: Iterable[Box]) -> str:
    return "".join(box.html() for box in boxes)


def topology(findings: Sequence[Finding], deployment: Deployment) -> list[list[Box]]:
    """Columns from PING8 over the MTA, proxies and sources to the recipients' view of domains."""

    def about(*subjects: str, checks: str = "") -> list[Finding]:
        return [
            finding
            for finding in findings
            if finding.subject.split()[0] in subjects and finding.check.startswith(checks)
        ]

    settings, mta = deployment.settings, deployment.mta
    proxies = [host for host in deployment.hosts.values() if host.role == "proxy"]
    domains = [domain.name for domain in settings.domains]
    return [
        [
            Box(
                title="PING8",
                detail=str(settings.webhook.url),
                findings=[
                    f
                    for f in findings
                    if f.check in ("mta.webhook", "mta.events", "mta.dead-letters")
                ],
            )
        ],
        [
            Box(
                title=settings.mta_host,
                detail=f"MTA {mta.address}",
                findings=about(mta.name, settings.mta_host),
            )
        ],
        [
            Box(
                title=proxy.name,
                detail=f"proxy {proxy.private_address}",
                findings=about(proxy.name),
            )
            for proxy in proxies
        ],
        [
            Box(
                title=source.ehlo,
                detail=f"{source.name} {source.public}",
                findings=about(source.name),
            )
            for source in deployment.egress.values()
        ],
        [
            Box(
                title="Recipients",
                detail=f"mail of {len(domains)} sender domains",
                findings=about(*domains),
            )
        ],
    ]


def _groups(findings: Sequence[Finding]) -> str:
    return "".join(_group(group, members) for group, members in by_group(findings))


def _group(group: str, findings: Sequence[Finding]) -> str:
    trouble = [finding for finding in findings if finding.status is not Status.PASS]
    passes = [finding for finding in findings if finding.status is Status.PASS]
    rows = "".join(
        f"<li><b>{escape(f.subject)}</b> {escape(f.text.title)}: {escape(f.saw)}</li>"
        for f in passes
    )
    fold = (
        f'<details><summary class="pass">{len(passes)} passed</summary><ul>{rows}</ul></details>'
        if passes
        else ""
    )
    articles = "".join(_article(finding) for finding in trouble)
    return f"<section><h2>{escape(group)}</h2>{articles}{fold}</section>"


def _article(finding: Finding) -> str:
    rows = [
        ("saw", escape(finding.saw)),
        ("expected", escape(finding.expected)),
        ("why", escape(finding.text.why)),
        ("fix", f"<code>{escape(finding.fix)}</code>" if finding.fix else ""),
    ]
    body = "".join(f"<dt>{label}</dt><dd>{text}</dd>" for label, text in rows if text)
    return (
        f'<article class="{finding.status}"><header><i>{finding.status}</i> '
        f"<b>{escape(finding.subject)}</b> {escape(finding.headline)} "
        f"<small>{finding.check}</small></header><dl>{body}</dl></article>"
    )
