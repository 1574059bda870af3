"""A receiver blocks our address: metric, alarm, status with its answer, acknowledgement."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.journey import await_events, letter
from sandbox.run import Sandbox
from tests.sandbox.e2e.deploying import on
from tests.sandbox.e2e.watching import metrics, state, tell

pytestmark = pytest.mark.sandbox

PING8 = Path(sys.executable).with_name("ping8")
ENOUGH = 3


def ping8(*words: str) -> tuple[int, str]:
    """An operator's command, as typed in the checkout."""
    command = [str(PING8), *words, "--stack", "sandbox"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def send(sandbox: Sandbox, recipient: str) -> str:
    """The class of the message's bounce as PING8 sees it."""
    one = letter("news@news.ping8.test", recipient)
    assert sandbox.ping8.inject(one)[0] == 200
    events = await_events(sandbox.world, one.subject, {"Bounce"})
    return next(
        str(event["bounce_classification"]) for event in events if event["type"] == "Bounce"
    )


def look(sandbox: Sandbox) -> float:
    """One run of the timer, once kumod has finished its log segment."""
    on(sandbox, "mta-1", "systemctl", "restart", "kumomta")
    tell(sandbox)
    return metrics(sandbox)["reputation_refusals",]


def test_a_blocked_address_is_critical_until_an_operator_acknowledges_it(
    sandbox_up: Sandbox,
) -> None:
    for number in range(ENOUGH):
        assert send(sandbox_up, f"nobody{number}@bounce.example") == "InvalidRecipient"
    assert look(sandbox_up) == 0, "bad addresses are no matter of reputation"
    for number in range(ENOUGH):
        assert send(sandbox_up, f"reader{number}@block.example") == "SpamBlock"
    assert look(sandbox_up) == 1
    assert state(sandbox_up, "mta-1-reputation-refusals") == "ALARM"

    source = sandbox_up.deployment.egress["proxy-default"]
    _, said = ping8("status")
    assert (
        f"critical  other refuses {source.name} ({source.public}, {source.ehlo}): 3 permanent"
        in said
    )
    assert f"Client host [{source.public}] blocked using zen.spamhaus.org" in said
    assert f"page: https://www.spamhaus.org/query/ip/{source.public}" in said
    code, report = ping8("doctor", "--only", "mta.reputation", "--json")
    (finding,) = json.loads(report)["findings"]
    assert (code, finding["status"]) == (2, "fail")

    code, said = ping8(
        *("reputation", "acknowledge", "--provider", "other", "--source", source.name),
        *("--reason", "asked Spamhaus", "--yes"),
    )
    assert code == 0, said
    assert send(sandbox_up, "another@block.example") == "SpamBlock"
    assert look(sandbox_up) == 0
    code, listed = ping8("reputation", "list", "--json")
    (kept,) = json.loads(listed)["refusals"]
    assert (code, kept["for_good"], kept["acknowledged"]["reason"]) == (0, 4, "asked Spamhaus")
    records = on(sandbox_up, "mta-1", "sh", "-c", "cat /var/log/ping8/audit/*-reputation-done.json")
    assert "asked Spamhaus" in records
