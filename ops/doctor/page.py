"""Findings as one self-contained HTML page, with a picture of the topology."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template

from ops.doctor.finding import WORST_FIRST, Finding, Status, worst_first
from ops.doctor.roots import roots
from ops.doctor.terminal import also, by_group, names, together
from ops.stack import Deployment

Places = Mapping[tuple[str, str], str]
"""Anchors of findings on the page."""

_FEW = 5
"""Findings of one check that are listed one by one."""
_MOST = 200
"""Subjects that are listed by name: a page for a thousand domains still opens at once."""
_ARTICLES = 10
"""Articles about one check."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """One part of the topology, with the findings that are about it."""

    title: str
    detail: str
    findings: Sequence[Finding]

    @property
    def status(self) -> Status | None:
        """The worst; None if nothing was checked."""
        found = {finding.status for finding in self.findings}
        return next((status for status in WORST_FIRST if status in found), None)

    def html(self, places: Places) -> str:
        """The box, in the colour and with the word of its status, linked to its worst finding."""
        status = self.status or "unseen"
        inner = f"<b>{escape(self.title)}</b><small>{escape(self.detail)}</small><i>{status}</i>"
        worst = worst_first(self.findings)
        first = next((f for f in worst if f.status is not Status.PASS), None)
        if first is None:
            return f'<div class="box {status}">{inner}</div>'
        return f'<a class="box {status}" href="#{places[first.key]}">{inner}</a>'


def page(findings: Iterable[Finding], deployment: Deployment, *, when: str) -> str:
    """The whole page; `when` is the time of the examination as text."""
    ordered = worst_first(findings)
    causes = roots(ordered)
    explained = {one.key for members in causes.values() for one in members}
    rest = [finding for finding in ordered if finding.key not in explained]
    trouble = [finding for finding in rest if finding.status is not Status.PASS]
    articles = [*causes.values(), *together(trouble, most=_ARTICLES)]
    places = {one.key: f"f{number}" for number, members in enumerate(articles) for one in members}
    template = Template(resources.files("ops.doctor").joinpath("page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(f"Mail of {deployment.stack}"),
        when=escape(when),
        counts=_counts(ordered),
        topology=_topology(ordered, deployment, places),
        findings=_causes(causes, places) + _groups(rest, places),
    )


def _counts(findings: Sequence[Finding]) -> str:
    numbers = {s: sum(finding.status is s for finding in findings) for s in WORST_FIRST}
    return "".join(
        f'<span class="{status if number else "none"}">{number} {status}</span>'
        for status, number in numbers.items()
    )


def _topology(findings: Sequence[Finding], deployment: Deployment, places: Places) -> str:
    columns = [
        f'<div class="column">{"".join(box.html(places) for box in boxes)}</div>'
        for boxes in topology(findings, deployment)
    ]
    ways = ("HTTPS", "SOCKS5", "", "port 25")
    arrows = [f'<div class="arrow"><span>{way}</span></div>' for way in ways]
    return columns[0] + "".join(a + c for a, c in zip(arrows, columns[1:], strict=True))


def topology(findings: Sequence[Finding], deployment: Deployment) -> list[list[Box]]:
    """Columns: PING8, the MTA, proxies, sources, and the recipients' view of domains."""

    def about(*subjects: str, checks: str = "") -> list[Finding]:
        return [
            finding
            for finding in findings
            if finding.subject.split()[0] in subjects and finding.check.startswith(checks)
        ]

    settings, nodes = deployment.settings, deployment.mta_hosts
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
                title=settings.injection_host if len(nodes) == 1 else node.name,
                detail=f"MTA {node.address}",
                findings=about(node.name, settings.full_name(node.name), settings.injection_host),
            )
            for node in nodes
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


def _causes(causes: Mapping[str, Sequence[Finding]], places: Places) -> str:
    return "".join(
        f'<article id="{places[members[0].key]}" class="{members[0].status}"><header>'
        f"<i>{members[0].status}</i> <b>{escape(cause)}</b></header><dl>"
        f"<dt>fix</dt><dd>{escape(members[0].fix)}</dd>"
        f"<dt>also</dt><dd>{len(members)} checks could not run because of it: "
        f"{escape(names(members))}</dd></dl></article>"
        for cause, members in causes.items()
    )


def _groups(findings: Sequence[Finding], places: Places) -> str:
    return "".join(_group(group, members, places) for group, members in by_group(findings))


def _group(group: str, findings: Sequence[Finding], places: Places) -> str:
    trouble = [finding for finding in findings if finding.status is not Status.PASS]
    passes = [finding for finding in findings if finding.status is Status.PASS]
    fold = (
        f'<details><summary class="pass">{len(passes)} passed</summary>'
        f"<ul>{_passes(passes)}</ul></details>"
        if passes
        else ""
    )
    articles = "".join(_article(members, places) for members in together(trouble, most=_ARTICLES))
    body = f"{_subjects(trouble, places)}{articles}{fold}"
    return f"<section><h2>{escape(group)}</h2>{body}</section>"


def _subjects(trouble: Sequence[Finding], places: Places) -> str:
    """What is wrong with each domain, host or source, with links, if that is a lot."""
    if len(trouble) < _FEW:
        return ""
    by_subject: dict[str, list[Finding]] = {}
    for finding in trouble:
        by_subject.setdefault(finding.subject.split()[0], []).append(finding)
    rows = "".join(
        f"<li><b>{escape(subject)}</b> "
        + ", ".join(
            f'<a class="{f.status}" href="#{places[f.key]}">{f.check.partition(".")[2]}</a>'
            for f in found
        )
        + "</li>"
        for subject, found in list(by_subject.items())[:_MOST]
    )
    more = len(by_subject) - _MOST
    rest = f"<li>and {more} more: ping8 doctor --json lists all</li>" if more > 0 else ""
    return (
        f"<details><summary>By subject: {len(by_subject)}</summary><ul>{rows}{rest}</ul></details>"
    )


def _passes(passes: Sequence[Finding]) -> str:
    """A line each, or one line for all if a check passed for many."""
    by_check: dict[str, list[Finding]] = {}
    for finding in passes:
        by_check.setdefault(finding.check, []).append(finding)
    rows = []
    for found in by_check.values():
        if len(found) > _FEW:
            who, saw = names(found), f"{len(found)} times"
            rows.append(f"<li>{escape(found[0].text.title)}: {saw}: {escape(who)}</li>")
            continue
        rows += [
            f"<li><b>{escape(f.subject)}</b> {escape(f.text.title)}: {escape(f.saw)}</li>"
            for f in found
        ]
    return "".join(rows)


def _article(members: Sequence[Finding], places: Places) -> str:
    """One finding, with the names of others that fail in the same way."""
    finding = members[0]
    rows = [
        ("saw", escape(finding.saw)),
        ("expected", escape(finding.expected)),
        ("why", escape(finding.text.why)),
        ("fix", f"<code>{escape(finding.fix)}</code>" if finding.fix else ""),
        ("also", escape(also(members))),
    ]
    body = "".join(f"<dt>{label}</dt><dd>{text}</dd>" for label, text in rows if text)
    return (
        f'<article id="{places[finding.key]}" class="{finding.status}"><header>'
        f"<i>{finding.status}</i> <b>{escape(finding.subject)}</b> {escape(finding.headline)} "
        f"<small>{finding.check}</small></header><dl>{body}</dl></article>"
    )
