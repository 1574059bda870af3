"""Bounces and complaints: the stand-in refuses and loses what a real kumod did (`reports.yaml`)."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from standins.kumod import HttpResponse, Kumod
from standins.kumod.tests.policies import BASE, HOOK, started

RECORDED = yaml.safe_load((Path(__file__).parent / "reports.yaml").read_text(encoding="utf-8"))
DOMAIN = """
kumo.on('get_listener_domain', function(domain)
  return kumo.make_listener_domain {
    log_oob = 'LogThenDrop', log_arf = 'LogThenDrop', relay_to = false }
end)
"""
#: Bytes that are no UTF-8 are told from faulty text by parts of kumod that have no part in this.
NOT_HELD = {"diagnostic-latin1"}


@pytest.fixture
def kumod(tmp_path: Path) -> Kumod:
    return started(
        tmp_path,
        BASE + DOMAIN + HOOK,
        http=lambda _request: HttpResponse(status=200),
    )


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(name, case, id=name)
        for name, case in RECORDED[kind]["cases"].items()
        if name not in NOT_HELD
    ]


def receive(kumod: Kumod, kind: str, name: str, case: dict[str, Any]) -> str:
    text = RECORDED[kind]["message"].replace("NAME@", f"{name}@")
    for old, new in case.get("replace", {}).items():
        assert old in text, old
        text = text.replace(old, new)
    if not case.get("lf"):
        text = text.replace("\n", "\r\n")
    # The recorded texts hold bytes as characters.
    answer = kumod.receive_smtp("", [f"{name}@bounce.test"], text.encode("latin-1"))
    kumod.run()
    return f"{answer.code} {answer.content}".partition(" ids=")[0]


def records(kumod: Kumod, kind: str) -> list[dict[str, Any]]:
    return [record for record in kumod.records if record["type"] == kind]


@pytest.mark.parametrize(("name", "case"), cases("bounces"))
def test_bounces(kumod: Kumod, name: str, case: dict[str, Any]) -> None:
    assert receive(kumod, "bounces", name, case) == case["reply"]
    seen = []
    for record in records(kumod, "OOB"):
        response = record["response"]
        enhanced = ".".join(
            str(response["enhanced_code"][key]) for key in ("class", "subject", "detail")
        )
        is_now = record["timestamp"] == int(kumod.clock.now())
        seen.append(
            {
                "recipient": record["recipient"],
                "code": response["code"],
                "enhanced": enhanced,
                "content": response["content"],
                "moment": "now" if is_now else str(record["timestamp"]),
            }
        )
    assert seen == case.get("oob", [])


@pytest.mark.parametrize(("name", "case"), cases("complaints"))
def test_complaints(kumod: Kumod, name: str, case: dict[str, Any]) -> None:
    assert receive(kumod, "complaints", name, case) == case["reply"]
    assert bool(records(kumod, "Feedback")) == case.get("feedback", False)


def test_an_event_about_no_address_is_lost_with_a_line_in_the_journal(kumod: Kumod) -> None:
    case = RECORDED["bounces"]["cases"]["recipient-x400"]
    receive(kumod, "bounces", "recipient-x400", case)
    assert [record["recipient"] for record in records(kumod, "OOB")] == ["/C=US/A=ATT/P=ORG/S=DOE/"]
    assert b'"OOB"' not in b"".join(request.body for request in kumod.http_requests)
    assert any("failed to log" in text for _, text in kumod.diagnostics)
