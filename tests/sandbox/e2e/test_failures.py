"""What goes wrong at night: PING8 away, a host rebooted, drifted or lost. Nothing is lost."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sandbox.journey import Letter, await_events, await_message, letter
from sandbox.process import wait_until
from sandbox.run import Sandbox, await_certificate
from sandbox.world.webhook import Behaviour, Mode
from tests.sandbox.e2e.deploying import (
    dead_unit,
    deploy,
    live_release,
    on,
    raw_setting,
    settings,
)

pytestmark = pytest.mark.sandbox

AGENT = "/usr/local/sbin/ping8-agent"
SITE = "/etc/nginx/sites-enabled/ping8.conf"
UNITS = {
    "mta-1": ("kumomta", "nginx", "unbound", "ping8-certificate.timer", "ping8-logs-prune.timer"),
    "proxy-1": ("kumoproxy", "ping8-addresses.timer"),
}
_OUTAGES = (
    Behaviour(mode=Mode.STATUS, status=503),
    Behaviour(mode=Mode.STATUS, status=401),
    Behaviour(mode=Mode.RESET),
    Behaviour(mode=Mode.PARTIAL),
    Behaviour(mode=Mode.FALSE_SUCCESS),
    Behaviour(mode=Mode.HANG),
)


@pytest.fixture(scope="module")
def hasty(sandbox_up: Sandbox) -> Iterator[Sandbox]:
    """Short waits, so that the tests' are short, and pushes that look for drift."""
    brands = [
        {**brand, "retryInterval": "5s", "maxRetryInterval": "5s"}
        for brand in raw_setting(sandbox_up, "brands")
    ]
    webhook = {
        **raw_setting(sandbox_up, "webhook"),
        "failureField": "ok",
        "timeout": "3s",
        "retryInterval": "2s",
        "maxRetryInterval": "2s",
    }
    given = {"brands": brands, "webhook": webhook, "push": "always"}
    with settings(sandbox_up, given):
        deploy(sandbox_up)
        # kumod takes data up within ten seconds; started anew, it has it now.
        on(sandbox_up, "mta-1", "systemctl", "restart", "kumomta")
        wait_until(lambda: _lives(sandbox_up), "kumod to live", seconds=60, every=0.2)
        yield sandbox_up


def _lives(sandbox: Sandbox) -> bool:
    said = on(
        sandbox,
        "mta-1",
        "curl",
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
        "http://127.0.0.1:8000/api/check-liveness/v1",
        check=False,
    )
    return said == "200"


def inject(sandbox: Sandbox, recipient: str = "reader@accept.example") -> Letter:
    one = letter(f"news@{sandbox.deployment.settings.domains[0].name}", recipient)
    status, answer = sandbox.ping8.inject(one)
    assert (status, answer.get("success_count")) == (200, 1)
    return one


def calls_about(sandbox: Sandbox, one: Letter) -> list[Mapping[str, Any]]:
    return [call for call in sandbox.world.events() if one.subject in str(call["body"])]


def all_units_run(sandbox: Sandbox, host: str) -> Callable[[], bool]:
    def run() -> bool:
        said = on(sandbox, host, "systemctl", "is-active", *UNITS[host], check=False)
        return said.split() == ["active"] * len(UNITS[host])

    return run


def test_no_event_is_lost_however_the_receiver_fails(
    hasty: Sandbox, receiver_behaves: Callable[[Behaviour], None]
) -> None:
    letters = []
    for outage in _OUTAGES:
        receiver_behaves(outage)
        one = inject(hasty)
        letters.append(one)
        wait_until(
            lambda one=one, outage=outage: any(  # type: ignore[misc]
                call["answer"] == outage.mode.value for call in calls_about(hasty, one)
            ),
            f"a call that meets {outage.mode.value}",
            seconds=30,
        )
        assert not any(call["taken"] for call in calls_about(hasty, one))
    receiver_behaves(Behaviour())
    for one in letters:
        await_events(hasty.world, one.subject, {"Reception", "Delivery"})


def test_an_event_that_ping8_refuses_is_a_dead_letter_until_it_is_replayed(
    hasty: Sandbox, receiver_behaves: Callable[[Behaviour], None]
) -> None:
    receiver_behaves(Behaviour(mode=Mode.STATUS, status=422))
    one = inject(hasty)
    wait_until(lambda: len(dead(hasty, one)) == 2, "two dead letters", seconds=30, every=0.5)
    receiver_behaves(Behaviour())
    on(hasty, "mta-1", AGENT, "events", "replay")
    await_events(hasty.world, one.subject, {"Reception", "Delivery"})
    assert dead(hasty, one) == []


def dead(sandbox: Sandbox, one: Letter) -> list[Any]:
    found = json.loads(on(sandbox, "mta-1", AGENT, "events", "list", "--limit", "10000"))
    return [event for event in found["events"] if one.subject in json.dumps(event)]


def test_hosts_that_reboot_take_up_their_work_by_themselves(hasty: Sandbox) -> None:
    hosts = hasty.hosts
    instances = [hasty.deployment.host(host).instance_id for host in UNITS]
    with ThreadPoolExecutor() as pool:
        list(pool.map(hosts.reboot, instances))
    for instance in instances:
        hosts.wait_booted(instance)
    for host in UNITS:
        wait_until(all_units_run(hasty, host), f"{host}'s units", seconds=60, every=0.5)
        assert on(hasty, host, "ls", "/opt/ping8/pending.json", check=False) == ""
        assert live_release(hasty, host) == hasty.deployment.host(host).release_id
    wait_until(hasty.ping8.trusts, "Nginx", seconds=30)
    # The shop's source has an address that the proxy host puts on its interface at boot.
    assert len(hasty.send("reader@accept.example", sender="offers@shop.ping8.test")) > 0


def test_drift_is_fixed_and_replaced_files_are_kept(
    hasty: Sandbox,
) -> None:
    content = on(hasty, "mta-1", "cat", SITE)
    script = f"sed 's/$/ /' {SITE} > /root/edited && mv /root/edited {SITE}"
    on(hasty, "mta-1", "sh", "-euc", f"{script}; echo '# by hand' >> {SITE}")
    drift = on(hasty, "mta-1", AGENT, "drift", check=False)
    assert SITE in drift
    assert set(deploy(hasty)) == {"mail-release-mta-1-push", "mail-release-proxy-1-push"}
    assert on(hasty, "mta-1", "cat", SITE) == content
    backup = on(hasty, "mta-1", "grep", "-rl", "# by hand", "/opt/ping8/backup")
    assert backup.endswith(SITE)
    assert len(hasty.send("reader@accept.example")) > 0


def test_instances_are_replaced_while_queue_addresses_and_events_survive(
    hasty: Sandbox, receiver_behaves: Callable[[Behaviour], None]
) -> None:
    before = hasty.deployment
    receiver_behaves(Behaviour(mode=Mode.RESET))
    with dead_unit(hasty, "proxy-1", "kumoproxy"):
        one = inject(hasty)
        wait_until(lambda: bool(calls_about(hasty, one)), "its first event", seconds=30)
        changes = deploy(hasty, replace=[urn(hasty, "mail-mta-1-instance"), urn(hasty, PROXY)])
    receiver_behaves(Behaviour())
    after = hasty.deployment
    assert not [name for name, op in changes.items() if "replace" in op and "-eip" in name]
    for name, host in before.hosts.items():
        now = after.host(name)
        assert now.instance_id != host.instance_id
        assert (now.address, now.private_address) == (host.address, host.private_address)
        assert now.host_key == host.host_key
        assert live_release(hasty, name) == now.release_id == host.release_id
    seen = await_message(hasty.world, one.subject)
    assert seen["peer"] == after.egress["proxy-default"].public
    events = await_events(hasty.world, one.subject, {"Reception", "Delivery"})
    assert all(event["token_matched"] for event in events)
    await_certificate(hasty)
    assert len(hasty.send("reader@accept.example")) > 0


PROXY = "mail-proxy-1-instance"


def urn(sandbox: Sandbox, name: str) -> str:
    resources = sandbox.stack.export_stack().deployment["resources"]  # type: ignore[index]
    (found,) = (each["urn"] for each in resources if each["urn"].endswith(f"::{name}"))
    return str(found)
