"""How checks run side by side, and what becomes of those that are late or break."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from ops.doctor.answers import Answers
from ops.doctor.bulk import RULES, Sender, bulk_senders
from ops.doctor.examination import Task, examine
from ops.doctor.finding import Finding, Status, exit_status, failed, passed, worst_first
from ops.doctor.https import Unreachable
from ops.doctor.resolver import LookupFailed
from ops.stack import HostAccess
from policy.errors import UserError
from tests.ops.doctor.deployment import deployment_of


class Conflict(UserError):
    """A special mistake of a user."""


PASSED = passed("well").of("egress.address", "out-1")


def silent(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def task(run: Any, *checks: str) -> Task:
    return Task(checks=checks or ("egress.address",), subject="out-1", run=run)


def test_all_findings_are_collected_and_progress_is_reported() -> None:
    told: list[tuple[int, int]] = []
    tasks = [task(lambda: [PASSED]) for _ in range(5)]
    found = examine(tasks, seconds=60, progress=lambda *both: told.append(both))
    assert found == [PASSED] * 5
    assert told == [(n, 5) for n in range(1, 6)]


def test_more_tasks_than_workers_all_run() -> None:
    tasks = [task(lambda: [PASSED]) for _ in range(50)]
    assert len(examine(tasks, seconds=60, workers=3, progress=silent)) == 50


def test_what_others_wrote_does_not_control_the_operators_terminal() -> None:
    greeting = failed("220 mx\x1b]0;owned\x07\nok", expected="a greeting", fix="")
    assert greeting.of("egress.port-25", "out-1").saw == "220 mx?]0;owned? ok"


def test_no_tasks_are_no_findings() -> None:
    assert examine([], seconds=60, progress=silent) == []


def test_a_late_task_leaves_its_checks_unknown_and_delays_no_other() -> None:
    never = threading.Event()
    quick_is_done = threading.Event()

    def hangs() -> Sequence[Finding]:
        never.wait()
        return []

    def clock() -> float:
        # The time is over once the quick task is done.
        return 1000.0 if quick_is_done.is_set() else 0.0

    tasks = [task(lambda: [PASSED]), task(hangs, "egress.port-25", "egress.seen-as")]
    try:
        found = examine(tasks, seconds=60, progress=lambda *_: quick_is_done.set(), clock=clock)
    finally:
        never.set()
    assert [(f.check, f.status) for f in found] == [
        ("egress.address", Status.PASS),
        ("egress.port-25", Status.UNKNOWN),
        ("egress.seen-as", Status.UNKNOWN),
    ]
    assert found[1].saw == "no answer in time"


@pytest.mark.parametrize(
    ("error", "saw", "fix"),
    [
        (UserError("mta: no SSH connection"), "could not check: mta: no SSH connection", ""),
        (Conflict("two records"), "could not check: two records", ""),
        (LookupFailed("x", "no answer", what="A"), "could not check: A x: no answer", "--resolver"),
        (Unreachable("192.0.2.1:443: timed out"), "could not check: 192.0.2.1:443", "host.login"),
        (KeyError("units"), "could not check: KeyError: 'units'", "report this"),
    ],
)
def test_a_task_that_breaks_is_unknown_and_never_passed(
    error: Exception, saw: str, fix: str
) -> None:
    def breaks() -> Sequence[Finding]:
        raise error

    (found,) = examine([task(breaks)], seconds=60, progress=silent)
    assert found.status is Status.UNKNOWN
    assert found.saw.startswith(saw)
    assert fix in found.fix


def test_one_question_to_a_host_is_asked_once_and_its_failure_is_shared() -> None:
    asked: list[tuple[str, ...]] = []

    def agent(host: HostAccess, verb: Sequence[str]) -> Any:
        asked.append((host.name, *verb))
        if verb[0] == "drift":
            raise UserError("no")
        return {"release": "a"}

    mta, answers = deployment_of().mta, Answers(agent)
    assert answers(mta, "status") is answers(mta, "status")
    for _ in range(2):
        with pytest.raises(UserError):
            answers(mta, "drift")
    assert asked == [("mta-1", "status"), ("mta-1", "drift")]


def test_at_most_four_log_ins_to_a_host_are_under_way() -> None:
    lock, most, now = threading.Lock(), 0, 0
    four = threading.Barrier(4, timeout=20)

    def agent(_host: HostAccess, _verb: Sequence[str]) -> Any:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        four.wait()
        with lock:
            now -= 1

    answers, mta = Answers(agent), deployment_of().mta
    threads = [threading.Thread(target=answers, args=(mta, str(n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 4


# Exit status and order --------------------------------------------------------


def finding(status: Status, check: str = "egress.address", subject: str = "x") -> Finding:
    return Finding(check=check, subject=subject, status=status, saw="")


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        ([Status.PASS], 0),
        ([Status.PASS, Status.WARN], 1),
        ([Status.WARN, Status.UNKNOWN], 3),
        ([Status.UNKNOWN, Status.FAIL, Status.PASS], 2),
    ],
)
def test_the_exit_status_is_that_of_the_worst(statuses: list[Status], code: int) -> None:
    assert exit_status(finding(status) for status in statuses) == code


def test_findings_are_listed_worst_first() -> None:
    given = [finding(s) for s in (Status.PASS, Status.WARN, Status.FAIL, Status.UNKNOWN)]
    assert [f.status for f in worst_first(given)] == [
        Status.FAIL,
        Status.UNKNOWN,
        Status.WARN,
        Status.PASS,
    ]


# Bulk senders -----------------------------------------------------------------

SENDER = Sender(domain="example.com", selector="s1", sources=["out-1"])


def kept() -> list[Finding]:
    """Every rule of every provider kept, for one sender domain."""
    subjects = {"dkim": "example.com s1", "egress": "out-1"}
    checks = {check for rules in RULES.values() for check in rules}
    return [
        finding(
            Status.PASS,
            check,
            next((s for part, s in subjects.items() if part in check), "example.com"),
        )
        for check in sorted(checks)
    ]


def lines(findings: list[Finding]) -> dict[str, Status]:
    return {f.check: f.status for f in bulk_senders(findings, [SENDER])}


def changed(check: str, status: Status) -> list[Finding]:
    return [finding(status, f.check, f.subject) if f.check == check else f for f in kept()]


def test_a_sender_that_keeps_all_rules_passes_everywhere() -> None:
    assert lines(kept()) == dict.fromkeys(RULES, Status.PASS)


def test_reverse_dns_is_no_rule_of_microsofts() -> None:
    assert lines(changed("egress.reverse-dns", Status.FAIL)) == {
        "bulk.gmail": Status.FAIL,
        "bulk.yahoo": Status.FAIL,
        "bulk.microsoft": Status.PASS,
    }


def test_a_missing_dmarc_record_breaks_the_rules_of_all() -> None:
    assert set(lines(changed("domain.dmarc", Status.FAIL)).values()) == {Status.FAIL}


def test_what_could_not_be_checked_leaves_the_rules_unknown() -> None:
    assert set(lines(changed("domain.spf", Status.UNKNOWN)).values()) == {Status.UNKNOWN}
    lacking = [f for f in kept() if f.check != "domain.spf"]
    assert set(lines(lacking).values()) == {Status.UNKNOWN}


def test_the_next_key_and_other_domains_break_no_rule() -> None:
    others = [
        finding(Status.FAIL, "domain.dkim-record", "example.com s2"),
        finding(Status.FAIL, "domain.spf", "other.example.com"),
        finding(Status.FAIL, "egress.reverse-dns", "out-2"),
    ]
    assert set(lines([*kept(), *others]).values()) == {Status.PASS}
