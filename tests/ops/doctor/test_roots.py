"""The root cause comes first, and what follows from it is one line."""

import io

from rich.console import Console

from ops.doctor.finding import Finding, failed, passed, unknown
from ops.doctor.reach import NO_DNS
from ops.doctor.roots import roots
from ops.doctor.terminal import show

SSH = "mta (192.0.2.1): no SSH connection (Connection refused); see that it runs"


def shown(findings: list[Finding]) -> str:
    output = io.StringIO()
    show(findings, Console(file=output, width=100, color_system=None), every=False)
    return output.getvalue()


def no_dns(cause: str = NO_DNS) -> list[Finding]:
    return [
        unknown(f"could not check: TXT {kind}.d{n}: SERVFAIL", fix="dig", cause=cause).of(
            f"domain.{kind}", f"d{n}.example"
        )
        for n in range(11)
        for kind in ("spf", "dmarc", "bounce")
    ]


def no_ssh() -> list[Finding]:
    silent = unknown(f"could not check: {SSH}", cause=SSH)
    return [
        failed(SSH, expected="a log-in", fix="look at the instance").of("host.login", "mta-1"),
        *(silent.of(f"host.{what}", "mta-1") for what in ("units", "disk")),
        silent.of("mta.webhook", "mta.example"),
    ]


def test_dns_that_does_not_answer_is_one_cause_of_many_checks() -> None:
    ((cause, members),) = roots(no_dns()).items()
    assert (cause, len(members)) == (NO_DNS, 33)
    lines = [line.rstrip() for line in shown(no_dns()).splitlines() if line.strip()]
    assert len(lines) == 4
    assert lines[0].split(maxsplit=1) == ["unknown", NO_DNS]
    assert lines[1].strip() == "33 checks could not run because of it"
    assert lines[3] == "0 fail, 33 unknown, 0 warn, 0 pass"


def test_one_broken_zone_is_another_cause_than_no_dns_at_all() -> None:
    findings = [*no_dns(), *no_dns("DNS of a.example: SERVFAIL")[:3]]
    assert [len(members) for members in roots(findings).values()] == [33, 3]


def test_a_failed_login_is_shown_with_the_checks_that_need_it() -> None:
    text = shown([*no_ssh(), passed("all are active").of("host.units", "proxy-1")])
    assert text.count("no SSH connection") == 1
    assert "3 checks could not run because of it" in text
    assert "look at the instance" in text
    assert text.index("no SSH connection") < text.index("1 fail, 3 unknown")


def test_what_has_its_own_cause_is_shown_as_before() -> None:
    single = unknown("chronyc says nothing").of("host.clock", "mta-1")
    assert roots([single]) == {}
    assert "chronyc says nothing" in shown([single, *no_dns()])
