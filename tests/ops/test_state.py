"""After an update that failed half-way commands work with what the state has, and say so."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops import engine, stack
from policy.errors import UserError
from tests.components import shapes

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHostKeyOfThisTest"
FAILED = {"kind": "update", "result": "failed"} | {
    "startTime": "2026-11-28T23:00:43.000Z",
    "endTime": "2026-11-28T23:00:52.000Z",
}
"""As `pulumi stack history --json` of 3.274.1 prints it."""


def exported(*, without: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """What `pulumi stack export` prints of a whole program's resources, but for some."""
    outputs = {
        "aws:ec2/eip:Eip": {"publicIp": "203.0.113.7"},
        "tls:index/privateKey:PrivateKey": {"publicKeyOpenssh": f"{KEY}\n"},
        "ping8:mail:HostRelease": {"release_id": "0123456789abcdef"},
    }
    resources = [
        {
            "urn": f"urn:pulumi:dev::ping8-mail::{one.type}::{one.name}",
            "type": one.type,
            "id": "i-0123456789abcdef0",
            "inputs": {"privateIpAddress": one.inputs.get("privateIpAddress")},
            "outputs": outputs.get(one.type, {}),
            "modified": "2026-11-28T22:00:00.000Z",
        }
        for one in shapes.program("dev")
        if one.name not in without
    ]
    return {"version": 3, "deployment": {"resources": resources, **more}}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the engine prints, by the first word; it begins with a stack that is well."""
    answers: dict[str, Any] = {"output": {}, "history": [], "export": exported()}

    def ask(_stack: str, *words: str, folder: Path | None = None) -> Any:
        assert folder is None
        return json.loads(json.dumps(answers[words[0]]))

    monkeypatch.setattr(engine, "ask", ask)
    monkeypatch.setattr(stack, "local_stack", lambda _stack: None)
    return answers


def test_after_a_first_update_that_failed_the_hosts_are_those_of_the_state(
    told: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    told["history"] = [FAILED]
    told["export"] = exported(without=("mail-release-mta-1", "mail-release-mta-1-push"))
    found = stack.read_deployment("dev")
    assert set(found.hosts) == {"mta-1", "proxy-1"}
    assert found.mta.address == "203.0.113.7"
    assert found.mta.private_address.startswith("10.")
    assert found.mta.release_id == "none"
    assert found.hosts["proxy-1"].release_id == "0123456789abcdef"
    assert found.egress["proxy-default"].public == "203.0.113.7"
    said = capsys.readouterr().err
    assert said.startswith("ping8: warning: the last update of dev failed (2026-11-28T23:00Z): ")
    assert "mta-1 has no release yet; nothing was changed before it. " in said


def test_hosts_that_cannot_be_logged_in_to_yet_are_left_out(told: dict[str, Any]) -> None:
    told["export"] = exported(without=("mail-proxy-1-instance",))
    assert set(stack.read_deployment("dev").hosts) == {"mta-1"}


def test_before_any_host_exists_the_operator_gets_the_command_to_continue(
    told: dict[str, Any],
) -> None:
    told["export"] = {"version": 3, "deployment": {}}
    with pytest.raises(UserError, match=r"it has no hosts yet; run `pulumi up -s dev` first"):
        stack.read_deployment("dev")


def test_what_was_interrupted_and_what_came_last_is_said(
    told: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    told["history"] = [FAILED]
    kind = "ping8:mail:MailPlatform$aws:ec2/eip:Eip"
    urn = f"urn:pulumi:dev::ping8-mail::{kind}::mail-address-mta-1-eip"
    told["export"] = exported(pending_operations=[{"type": "creating", "resource": {"urn": urn}}])
    newest = told["export"]["deployment"]["resources"][5]
    newest["modified"] = "2026-11-28T23:00:50.000Z"
    stack.read_deployment("dev")
    said = capsys.readouterr().err
    assert "interrupted while creating mail-address-mta-1-eip" in said
    assert f"the last change before it was {newest['urn'].rpartition('::')[2]}" in said


@pytest.mark.parametrize("history", [[], {}, None, [{**FAILED, "result": "succeeded"}], [{}], 5])
def test_of_an_update_that_went_well_or_is_not_known_nothing_is_said(
    told: dict[str, Any], capsys: pytest.CaptureFixture[str], history: Any
) -> None:
    told["history"] = history
    stack.read_deployment("dev")
    assert capsys.readouterr().err == ""
