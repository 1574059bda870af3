"""What hosts' agents answer, as findings."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.doctor.finding import Finding, Status
from tests.examples import SMALL
from tests.ops.doctor.case import case_of, found
from tests.ops.doctor.deployment import MTA_ADDRESS, deployment_of

TEXT = Path(__file__).with_name("data").joinpath("status.json").read_text("utf-8")
SSH = f"ssh ping8@{MTA_ADDRESS} "


def answer(**changes: Any) -> dict[str, Any]:
    """What `ping8-agent status` prints on a healthy MTA host, with changes."""
    healthy: dict[str, Any] = json.loads(TEXT)
    return healthy | changes


def with_metric(name: str, value: float | None, dimension: str = "") -> dict[str, Any]:
    """With another value of a metric; None leaves it out and says why."""
    found = answer()
    rows = [f for f in found["metrics"] if f["name"] == name]
    row = next(f for f in rows if dimension in ("", f["dimensions"].get("volume")))
    if value is None:
        found["metrics"].remove(row)
        found["missing"] = [f"{name}: chronyc says nothing"]
    else:
        row["value"] = value
    return found


DEPLOYED = deployment_of(SMALL)
TOLD = (
    *(
        "host.login",
        "host.units",
        "host.release",
        "host.draining",
        "host.disk",
        "host.backlog-room",
        "host.memory",
    ),
    *("host.clock", "host.reboot", "host.version", "mta.events", "mta.dead-letters"),
    *("mta.reputation", "mta.queue-age"),
)


def told(status: dict[str, Any], name: str = "mta-1") -> dict[str, Finding]:
    """Findings by check, the subject's volume added."""
    return found(case_of(DEPLOYED, answers={"status": status}, only=TOLD), name)


def troubles(found: dict[str, Finding]) -> dict[str, Status]:
    return {check: f.status for check, f in found.items() if f.status is not Status.PASS}


def test_a_healthy_host_has_no_trouble() -> None:
    assert troubles(told(answer())) == {}


def test_a_drain_that_nobody_took_back_is_a_warning() -> None:
    mark = {"since": 1_796_000_000, "by": "ann", "reason": "resize", "refusing": True}
    found = told(answer(draining=mark))
    assert troubles(found) == {"host.draining": Status.WARN}
    assert "by ann: resize" in found["host.draining"].saw
    assert found["host.draining"].fix == "ping8 drain mta-1 --back --stack small"


def test_a_proxy_is_not_asked_for_what_the_mta_knows() -> None:
    found = told(answer(), "proxy-1")
    assert troubles(found) == {}
    assert "mta.events" not in found


def unit(name: str, active: str = "active", restarts: int = 0) -> dict[str, Any]:
    return {"unit": name, "active": active, "restarts": restarts}


@pytest.mark.parametrize("state", ["failed", "inactive", "deactivating"])
def test_a_unit_that_does_not_run_fails_with_its_journal_as_fix(state: str) -> None:
    found = told(answer(units=[unit("nginx.service", state), unit("kumomta.service")]))
    assert troubles(found) == {"host.units": Status.FAIL}
    assert found["host.units"].saw == f"nginx.service is {state}"
    assert found["host.units"].fix.startswith(f"{SSH}'sudo journalctl -u nginx.service")


def test_a_unit_that_starts_or_reloads_is_well() -> None:
    units = [unit("nginx.service", "reloading"), unit("kumomta.service", "activating")]
    assert troubles(told(answer(units=units))) == {}


def test_a_unit_that_restarts_in_circles_warns() -> None:
    found = told(answer(units=[unit("kumomta.service", restarts=3)]))
    assert troubles(found) == {"host.units": Status.WARN}
    assert "3 times" in found["host.units"].saw


def test_another_release_fails() -> None:
    found = told(answer(release="ffffffffffffffff"))
    assert troubles(found) == {"host.release": Status.FAIL}
    assert found["host.release"].expected == "0123456789abcdef"


def test_an_interrupted_switch_warns() -> None:
    found = told(answer(pending={"origin": "a", "target": "b"}))
    assert troubles(found) == {"host.release": Status.WARN}
    assert found["host.release"].fix == f"{SSH}'sudo ping8-agent finish'"


def test_a_host_without_a_release_fails() -> None:
    empty: dict[str, Any] = {
        "release": None,
        "kumomta": None,
        "kept": [],
        "units": [],
        "pending": None,
    }
    found = told(empty)
    assert found["host.release"].status is Status.FAIL
    assert found["host.version"].status is Status.FAIL
    assert found["host.disk"].status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("metric", "percent", "status"),
    [
        ("disk_free_percent", 26, None),
        ("disk_free_percent", 24, Status.WARN),
        ("disk_free_percent", 14, Status.FAIL),
        ("inodes_free_percent", 24, Status.WARN),
        ("inodes_free_percent", 14, Status.FAIL),
    ],
)
def test_space_and_inodes_follow_the_alarms_thresholds(
    metric: str, percent: float, status: Status | None
) -> None:
    found = troubles(told(with_metric(metric, percent, "logs")))
    assert found == ({"host.disk logs": status} if status else {})


def test_a_spool_without_room_for_the_expected_backlog_warns() -> None:
    gib = 2**30
    found = told(with_metric("disk_free_bytes", 50 * gib, "spool"))
    # 1,000,000 messages of 50 KiB are 47.7 GiB, and 10 % of the disk stay free for kumod.
    assert troubles(found) == {"host.backlog-room": Status.WARN}
    assert "47.7 GiB needed" in found["host.backlog-room"].saw
    assert troubles(told(with_metric("disk_free_bytes", 58 * gib, "spool"))) == {}


def test_a_file_system_smaller_than_its_volume_warns() -> None:
    found = told(with_metric("disk_total_bytes", 80 * 2**30, "spool"))
    assert troubles(found) == {"host.backlog-room": Status.WARN}
    assert found["host.backlog-room"].expected == "100 GiB (mta.spoolGib)"


@pytest.mark.parametrize(
    ("metric", "good", "bad", "check", "status"),
    [
        ("memory_used_percent", 80, 81, "host.memory", Status.WARN),
        ("clock_offset_seconds", -1.0, -1.1, "host.clock", Status.FAIL),
        ("event_backlog", 10_000, 10_001, "mta.events", Status.FAIL),
        ("dead_letters", 0, 1, "mta.dead-letters", Status.WARN),
        ("reputation_refusals", 0, 1, "mta.reputation", Status.FAIL),
        ("oldest_message_seconds", 6 * 3600, 6 * 3600 + 1, "mta.queue-age", Status.WARN),
    ],
)
def test_metrics_follow_the_alarms_thresholds(
    metric: str, good: float, bad: float, check: str, status: Status
) -> None:
    assert troubles(told(with_metric(metric, good))) == {}
    assert troubles(told(with_metric(metric, bad))) == {check: status}


def test_a_refusal_for_reputation_fails_with_the_providers_words() -> None:
    refused = {"provider": "google", "source": "out-1", "words": "421 4.7.28 unsolicited mail"}
    status = with_metric("reputation_refusals", 1)
    status["reputation"] = [
        refused | {"acknowledged": None},
        refused | {"source": "out-2", "acknowledged": {"by": "ann"}},
    ]
    found = told(status)["mta.reputation"]
    assert found.saw == "google refuses out-1: 421 4.7.28 unsolicited mail"
    assert found.fix == "to see what to do: ping8 reputation list --stack small"


@pytest.mark.parametrize(
    ("metric", "check"),
    [
        ("memory_used_percent", "host.memory"),
        ("clock_offset_seconds", "host.clock"),
        ("event_backlog", "mta.events"),
        ("dead_letters", "mta.dead-letters"),
        ("reputation_refusals", "mta.reputation"),
        ("oldest_message_seconds", "mta.queue-age"),
    ],
)
def test_a_metric_that_is_missing_is_unknown_with_the_hosts_reason(metric: str, check: str) -> None:
    found = told(with_metric(metric, None))
    assert troubles(found) == {check: Status.UNKNOWN}
    assert found[check].saw == f"{metric}: chronyc says nothing"


def test_a_pending_reboot_is_a_warning_with_the_command() -> None:
    found = told(answer(metrics=[*answer()["metrics"], {"name": "reboot_pending", "value": 1}]))
    assert troubles(found) == {"host.reboot": Status.WARN}
    assert found["host.reboot"].fix.startswith(f"{SSH}'sudo reboot'")


def test_another_kumomta_than_the_pinned_one_fails() -> None:
    found = told(answer(kumomta="2026.10.06-aaaaaaa"))
    assert troubles(found) == {"host.version": Status.FAIL}
    assert found["host.version"].expected == "2026.09.29-b90d8bc1"


def test_a_kumomta_with_known_faults_fails_and_names_them() -> None:
    found = told(answer(kumomta="2026.09.22-a276d4a8"))
    assert troubles(found) == {"host.version": Status.FAIL}
    assert "MTA-STS" in (found["host.version"].saw or "")


def test_a_host_that_refuses_us_fails_by_log_in_and_leaves_the_rest_unknown() -> None:
    seen = found(case_of(DEPLOYED, only=TOLD), "mta-1")
    statuses = {check: finding.status for check, finding in seen.items()}
    assert statuses.pop("host.login") is Status.FAIL
    assert set(statuses) == set(TOLD) - {"host.login"}
    assert set(statuses.values()) == {Status.UNKNOWN}


# Drift ------------------------------------------------------------------------


def drift_of(*differences: dict[str, str], **status: Any) -> dict[str, Finding]:
    drift = {"release": "0123456789abcdef", "differences": list(differences)}
    answers = {"status": answer(**status), "drift": drift}
    return found(case_of(DEPLOYED, answers=answers, only=("host.drift", "host.modes")), "mta-1")


def test_a_host_that_matches_its_release_has_no_drift() -> None:
    assert troubles(drift_of()) == {}


def test_a_changed_file_is_drift() -> None:
    found = drift_of({"what": "/etc/nginx/x", "kind": "file", "found": "content differs"})
    assert troubles(found) == {"host.drift": Status.FAIL}
    assert found["host.drift"].saw == "/etc/nginx/x: content differs"
    assert found["host.drift"].fix.startswith("pulumi config set push always -s small")


@pytest.mark.parametrize("text", ["mode 0644 instead of 0600", "owner 0:0 instead of kumod:kumod"])
def test_a_mode_or_an_owner_is_a_separate_finding(text: str) -> None:
    found = drift_of({"what": "/etc/default/kumomta", "kind": "file", "found": text})
    assert troubles(found) == {"host.modes": Status.FAIL}


def test_a_stopped_unit_is_no_drift_beside() -> None:
    stopped = {"what": "nginx.service", "kind": "unit", "found": "inactive"}
    assert troubles(drift_of(stopped, units=[unit("nginx.service", "inactive")])) == {}
    disabled = {"what": "nginx.service", "kind": "unit", "found": "does not start at boot"}
    assert troubles(drift_of(disabled)) == {"host.drift": Status.FAIL}


def test_many_differences_show_the_first_and_a_number() -> None:
    rows = [{"what": f"/etc/{n}", "kind": "file", "found": "missing"} for n in range(5)]
    assert drift_of(*rows)["host.drift"].saw.endswith("/etc/2: missing; and 2 more")


# Webhook ----------------------------------------------------------------------


def webhook_of(**changes: Any) -> Finding:
    reached = {"url": "https://app.example.com/e", "reachable": True, "error": "", "status": None}
    case = case_of(DEPLOYED, answers={"webhook": reached | changes}, only=("mta.webhook",))
    return found(case, DEPLOYED.settings.injection_host)["mta.webhook"]


@pytest.mark.parametrize(
    ("said", "status", "fix"),
    [
        ({}, Status.PASS, ""),
        ({"status": 200, "taken": True, "answer": "200 ok"}, Status.PASS, ""),
        ({"reachable": False, "error": "refused"}, Status.FAIL, f"{SSH}'curl -sv"),
        ({"status": 401, "taken": False, "answer": "401"}, Status.FAIL, "webhook_token"),
        ({"status": 403, "taken": False, "answer": "403"}, Status.FAIL, "webhook_token"),
        ({"status": 500, "taken": False, "answer": "500"}, Status.FAIL, "fix PING8's endpoint"),
        ({"status": 200, "taken": False, "answer": "200 {}"}, Status.FAIL, "fix PING8's endpoint"),
        ({"status": None, "taken": False, "answer": "reset"}, Status.FAIL, "fix PING8's endpoint"),
    ],
)
def test_the_webhook_is_judged_by_what_it_took(
    said: dict[str, Any], status: Status, fix: str
) -> None:
    found = webhook_of(**said)
    assert found.status is status
    assert fix in found.fix


def test_capacity_names_the_setting_that_gives_more_room() -> None:
    spool = told(with_metric("disk_free_percent", 5, "spool"))["host.disk spool"]
    assert "raise mta.spoolGib, then pulumi up -s small" in spool.fix
