"""A drain of the only MTA host, with the real Nginx and systemd."""

import json

import pytest

from sandbox.journey import letter
from sandbox.run import Sandbox
from tests.sandbox.e2e.deploying import on
from tests.sandbox.e2e.test_commands import ping8

pytestmark = pytest.mark.sandbox


def refusal(sandbox: Sandbox) -> tuple[int, str | None, str | None]:
    """Status, `Connection` and `Retry-After` of an injection."""
    one = letter("news@news.ping8.test", "reader@accept.example")
    token = str(sandbox.outputs["injection_token"])
    answer = sandbox.ping8.ask("POST", "/api/inject/v1", token, json={"content": one.raw})
    return answer.status, answer.headers.get("Connection"), answer.headers.get("Retry-After")


def test_a_drained_host_refuses_injection_also_after_a_restart_until_it_is_taken_back(
    sandbox_up: Sandbox,
) -> None:
    name = sandbox_up.deployment.mta.name
    assert ping8(f"drain {name} --yes").returncode == 69, "it is the last one"
    # Mail of other tests, which the last node would keep until it expires.
    ping8("queue bounce --domain defer.example --for 10s --reason 'a test' --yes")
    drained = ping8(f"drain {name} --last-node --yes --json --reason 'a test'")
    assert json.loads(drained.stdout)["done"], drained.stderr
    try:
        assert refusal(sandbox_up) == (503, "close", "10")
        on(sandbox_up, name, "systemctl", "restart", "nginx", "kumomta")
        assert refusal(sandbox_up) == (503, "close", "10")
        assert "a test" in ping8("drift").stdout
        assert not json.loads(on(sandbox_up, name, "ping8-agent", "drain", "show"))["healthy"]
    finally:
        back = ping8(f"drain {name} --back --yes")
    assert back.returncode == 0, back.stderr
    assert sandbox_up.send("reader@accept.example")
