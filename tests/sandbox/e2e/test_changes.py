"""What a change of settings touches: the resources and processes that it must, and no others."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest
from pulumi.automation import CommandError

from policy.release import Release, ReleaseFile
from sandbox.run import Sandbox
from tests.sandbox.e2e.deploying import (
    deploy,
    live_release,
    on,
    process_of,
    raw_setting,
    secrets,
    settings,
)

pytestmark = pytest.mark.sandbox

MTA_PUSH = "mail-release-mta-1-push"


def arrives(sandbox: Sandbox) -> bool:
    return len(sandbox.send("reader@accept.example")) > 0


def test_a_message_travels_from_ping8_to_the_recipient_and_its_events_come_back(
    sandbox_up: Sandbox,
) -> None:
    assert len(sandbox_up.send("reader@accept.example")) == 11


def test_an_isolated_brand_sends_from_its_own_address(sandbox_up: Sandbox) -> None:
    steps = sandbox_up.send("reader@accept.example", sender="offers@shop.ping8.test")
    source = sandbox_up.deployment.egress["out-2"]
    assert any(source.public in step.saw for step in steps)


def test_a_second_up_changes_nothing(sandbox_up: Sandbox) -> None:
    assert deploy(sandbox_up) == {}


def test_a_shaping_rule_reaches_the_host_without_a_restart(sandbox_up: Sandbox) -> None:
    kumod, nginx = process_of(sandbox_up, "kumomta"), process_of(sandbox_up, "nginx")
    shaping = {"overrides": {"accept.example": {"connection_limit": 3, "mx_rollup": False}}}
    with settings(sandbox_up, {"shaping": shaping}):
        assert deploy(sandbox_up) == {MTA_PUSH: "update"}
        assert "connection_limit = 3" in on(
            sandbox_up, "mta-1", "cat", "/opt/kumomta/etc/policy/data/shaping.toml"
        )
        assert process_of(sandbox_up, "kumomta") == kumod
        assert process_of(sandbox_up, "nginx") == nginx
        assert arrives(sandbox_up)


def test_a_new_injection_token_reloads_nginx_alone_and_the_old_one_works_until_it_is_removed(
    sandbox_up: Sandbox,
) -> None:
    old = sandbox_up.ping8
    kumod, nginx = process_of(sandbox_up, "kumomta"), process_of(sandbox_up, "nginx")
    given = {
        "injectionToken": "sandbox-token-of-the-second-kind-0123456789",
        "previousInjectionToken": str(sandbox_up.outputs["injection_token"]),
    }
    with secrets(sandbox_up, given):
        changes = deploy(sandbox_up)
        assert changes[MTA_PUSH] == "update"
        assert set(changes) - {MTA_PUSH} <= {name for name in changes if "injection-token" in name}
        assert process_of(sandbox_up, "kumomta") == kumod
        assert process_of(sandbox_up, "nginx") == nginx
        assert arrives(sandbox_up)
        assert old.trusts()


def test_a_new_webhook_address_restarts_kumod(sandbox_up: Sandbox) -> None:
    kumod = process_of(sandbox_up, "kumomta")
    webhook = {
        **raw_setting(sandbox_up, "webhook"),
        "url": "https://app.ping8.test/api/kumo/events?v=2",
    }
    with settings(sandbox_up, {"webhook": webhook}):
        changes = deploy(sandbox_up)
        assert changes == {MTA_PUSH: "update"}
        assert process_of(sandbox_up, "kumomta") != kumod
        assert arrives(sandbox_up)


def test_a_new_sender_domain_costs_its_own_records_and_keys_and_a_push(
    sandbox_up: Sandbox,
) -> None:
    kumod = process_of(sandbox_up, "kumomta")
    domains = [
        *raw_setting(sandbox_up, "domains"),
        {"name": "new.ping8.test", "zone": "ping8.test"},
    ]
    with settings(sandbox_up, {"domains": domains}):
        changes = deploy(sandbox_up)
        created = [name for name, op in changes.items() if op == "create"]
        assert all("new.ping8.test" in name for name in created), created
        assert len(created) <= 12
        assert {name for name, op in changes.items() if op != "create"} == {MTA_PUSH}
        assert process_of(sandbox_up, "kumomta") == kumod
        steps = sandbox_up.send("reader@accept.example", sender="hello@new.ping8.test")
        assert len(steps) == 11


def test_settings_that_kumod_refuses_change_nothing_on_the_host(sandbox_up: Sandbox) -> None:
    before, kumod = live_release(sandbox_up), process_of(sandbox_up, "kumomta")
    shaping = {"overrides": {"accept.example": {"no_such_field": 3, "mx_rollup": False}}}
    with settings(sandbox_up, {"shaping": shaping}):
        with pytest.raises(CommandError) as failure:
            deploy(sandbox_up)
        assert "no_such_field" in str(failure.value)
        assert live_release(sandbox_up) == before
        assert process_of(sandbox_up, "kumomta") == kumod
        assert arrives(sandbox_up)


def test_a_release_whose_kumod_does_not_start_is_rolled_back_and_mail_flows(
    sandbox_up: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live_release(sandbox_up)

    def broken(*, files: Iterable[ReleaseFile], **fields: Any) -> Release:
        return Release(files=tuple(_cannot_start(file) for file in files), **fields)

    with monkeypatch.context() as patched:
        patched.setattr("policy.render.mta.Release", broken)
        with pytest.raises(CommandError) as failure:
            deploy(sandbox_up)
    assert "kumomta" in str(failure.value)
    assert live_release(sandbox_up) == before
    assert arrives(sandbox_up)
    deploy(sandbox_up)


def _cannot_start(file: ReleaseFile) -> ReleaseFile:
    if not file.path.endswith("kumomta.service.d/ping8.conf"):
        return file
    content = file.content.replace(b"[Service]\n", b"[Service]\nExecStartPre=/bin/false\n")
    assert content != file.content
    return dataclasses.replace(file, content=content)
