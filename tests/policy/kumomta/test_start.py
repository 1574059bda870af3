"""Starting: the environment file's variables, what happens once, and what validation catches."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import standins.kumod
from ops.stackfile import read_stack_file, stack_names
from standins.kumod import FakeResolver, SmtpReply
from standins.kumod.contract import contract
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import TOKEN, Mta

Host = Callable[..., Mta]
DATA = "/opt/kumomta/etc/policy/data/"


def edit(mta: Mta, name: str, change: Callable[[Any], None]) -> None:
    """Changes a data file as a careless hand would."""
    path = mta.path(DATA + name)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("stack", stack_names())
def test_the_policy_of_every_stack_validates_and_starts(host: Host, stack: str) -> None:
    mta = host(
        settings=read_stack_file(stack),
        environment={"KUMOPROXY_PASSWORD": "password-of-the-tests"},
        resolver=FakeResolver(mx={"gmail.com": ["gmail-smtp-in.l.google.com"]}),
    )
    result = mta.new_kumod().validate()
    assert (result.exit, result.errors) == (0, ()), result.output
    mta.start()


def test_the_rendered_policy_validates_in_silence(host: Host) -> None:
    result = host().kumod.validate()
    assert (result.exit, result.output, result.errors) == (0, "", ())


@pytest.mark.parametrize(
    "name",
    [
        "PING8_WEBHOOK_TOKEN",
        "PING8_TRACE_KEY",
        "PING8_WEBHOOK_URL",
        "KUMOPROXY_HOST",
        "KUMOPROXY_PUBLIC_IP",
        "KUMOPROXY_HELO",
    ],
)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_stops_the_policy_with_one_line_that_names_it(
    host: Host, name: str, value: str | None
) -> None:
    mta = host(environment={name: value})
    assert f"{name} is not set (in /etc/default/kumomta)" in mta.kumod.validate().says
    started = mta.new_kumod().start()
    assert not started.started
    assert name in started.error


def test_the_socks_port_is_5000_unless_set(host: Host) -> None:
    assert host(environment={"KUMOPROXY_PORT": None}).kumod.validate().exit == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PING8_WEBHOOK_TOKEN", "short"),
        ("PING8_WEBHOOK_TOKEN", "with a space in it, which is no token"),
        ("PING8_WEBHOOK_URL", "http://app.example.com/events"),
        ("PING8_WEBHOOK_URL", "https://"),
        ("PING8_WEBHOOK_URL", "https://app.example.com/a b"),
        ("KUMOPROXY_HOST", "203.0.113.9"),
        ("KUMOPROXY_HOST", "10.0.0.256"),
        ("KUMOPROXY_PORT", "5000; rm"),
        ("KUMOPROXY_PORT", "0"),
        ("KUMOPROXY_PORT", "65536"),
        ("KUMOPROXY_PUBLIC_IP", "out1.example.com"),
        ("KUMOPROXY_HELO", "out1 example"),
        ("KUMOPROXY_HELO", "192.0.2.1"),
    ],
)
def test_a_malformed_variable_stops_the_policy_with_one_line_that_names_it(
    host: Host, name: str, value: str
) -> None:
    result = host(environment={name: value}).kumod.validate()
    assert result.exit == 1
    assert name in result.says
    if name == "PING8_WEBHOOK_TOKEN":
        assert value not in result.errors[0]
    else:
        assert value in result.says


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=st.text(min_size=1, max_size=60))
def test_any_token_comes_out_unharmed_or_is_refused_without_being_shown(
    host: Host, value: str
) -> None:
    mta = host(environment={"PING8_WEBHOOK_TOKEN": value})
    started = mta.kumod.start()
    if not started.started:
        assert "PING8_WEBHOOK_TOKEN must be" in started.error
        if value in started.error:
            other = host(environment={"PING8_WEBHOOK_TOKEN": " "}).kumod.start().error
            assert value in other, "such a word is there whatever the token is"
        return
    mta.inject()
    mta.kumod.run()
    assert dict(mta.posts()[0].headers)["x-ping8-kumo-token"] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KUMOPROXY_PORT", "5001"),
        ("KUMOPROXY_PUBLIC_IP", "192.0.2.77"),
        ("KUMOPROXY_HELO", "other.mail.example.com"),
        ("KUMOPROXY_HOST", "10.8.0.99"),
    ],
)
def test_variables_that_differ_from_the_default_source_are_refused(
    host: Host, name: str, value: str
) -> None:
    mta = host(environment={name: value})
    result = mta.kumod.validate()
    assert result.exit == 1
    assert f"{name} " in result.says
    started = mta.new_kumod().start()
    assert not started.started
    assert f"{name} " in started.error


def test_a_proxy_name_is_resolved(host: Host) -> None:
    proxy = host().addresses.proxies["proxy-1"].private
    name = "proxy-1.internal.example"
    mta = host(
        environment={"KUMOPROXY_HOST": name}, resolver=FakeResolver(a={name: [proxy]})
    ).start()
    assert mta.inject()["success_count"] == 1


@pytest.mark.parametrize(
    "found", [["203.0.113.5"], ["10.8.0.11", "203.0.113.5"], ["10.8.0.99"], []]
)
def test_a_proxy_name_that_gives_a_public_another_or_no_address_is_refused(
    host: Host, found: list[str]
) -> None:
    assert host().addresses.proxies["proxy-1"].private == "10.8.0.11"
    name = "proxy-1.internal.example"
    mta = host(environment={"KUMOPROXY_HOST": name}, resolver=FakeResolver(a={name: found}))
    result = mta.kumod.validate()
    assert result.exit == 1
    assert f"KUMOPROXY_HOST {name} " in result.says


def test_several_lua_contexts_define_spools_logs_and_listeners_once(host: Host) -> None:
    mta = host(options={"max_context_uses": 1}).start()
    for _ in range(5):
        assert mta.inject()["success_count"] == 1
    mta.kumod.advance(1000)
    counters = mta.kumod.counters
    assert counters["lua.context"] > 10
    assert counters["kumo.define_spool"] == 2
    assert counters["kumo.configure_log_hook"] == 1
    assert counters["kumo.configure_local_logs"] == 1
    assert counters["kumo.start_http_listener"] == 1
    assert len(mta.events("Delivery")) == 5


def test_injection_listens_on_loopback_and_trusts_loopback_alone(mta: Mta) -> None:
    listeners = dict(mta.kumod.listeners)
    assert listeners["http"]["listen"] == "127.0.0.1:8000"
    assert listeners["http"]["trusted_hosts"] == ["127.0.0.1", "::1"]
    assert listeners["http"]["request_body_limit"] == 10 * 1024 * 1024
    assert listeners["esmtp"]["listen"] == "0.0.0.0:25"
    assert listeners["esmtp"]["relay_hosts"] == ["255.255.255.255"], "nobody's address"


@pytest.mark.parametrize("asked", [True, False])
def test_mta_sts_is_switched_for_the_server_and_for_each_path(host: Host, asked: bool) -> None:
    mta = host(settings=settings(shaping={"mtaSts": asked})).start()
    assert mta.kumod.configuration.mta_sts is asked
    mta.inject()
    mta.kumod.run()
    (path,) = [
        q.path for q in mta.kumod.scheduler.ready.values() if q.source["name"] != "unspecified"
    ]
    assert path.get("enable_mta_sts", True) is asked


def test_a_kumod_without_the_switch_for_mta_sts_starts(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [name for name in contract()["functions"] if name != "kumo.dns.set_mta_sts_enabled"]
    monkeypatch.setitem(contract(), "functions", known)
    host(settings=settings(shaping={"mtaSts": False})).start()


def test_a_file_that_kumomta_ships_takes_the_place_of_no_module_of_ours(host: Host) -> None:
    mta = host()
    share = mta.path("/opt/kumomta/share")
    shutil.copytree(Path(standins.kumod.__file__).parent / "share", share)
    for module in ("data", "events", "server"):
        (share / f"{module}.lua").write_text("error('not ours')")
    result = mta.kumod.validate()
    assert (result.exit, result.errors) == (0, ())


@pytest.mark.parametrize("community", [True, False])
def test_rules_of_the_community_are_loaded_as_the_settings_say(host: Host, community: bool) -> None:
    chosen = settings(shaping={"community": community, "communityBounces": community})
    reply = SmtpReply(code=550, content="message blocked using a list")
    mta = host(settings=chosen, exchanger=lambda _attempt: reply).start()
    mta.inject(recipients=("u@gmx.net",))
    mta.kumod.run()
    (bounce,) = mta.events("Bounce")
    assert (bounce["bounce_classification"] == "SpamBlock") is community
    limits = [queue.path["connection_limit"] for queue in mta.kumod.scheduler.ready.values()]
    assert (5 in limits) is community


def test_without_report_domains_nothing_listens_on_port_25(host: Host) -> None:
    mta = host(settings=settings(domains=[])).start()
    assert [kind for kind, _ in mta.kumod.listeners] == ["http"]


def test_spools_and_logs_lie_where_the_contract_says(mta: Mta) -> None:
    assert {name: spool["path"] for name, spool in mta.kumod.configuration.spools.items()} == {
        "data": "/var/spool/kumomta/data",
        "meta": "/var/spool/kumomta/meta",
    }
    assert all(spool["kind"] == "RocksDB" for spool in mta.kumod.configuration.spools.values())
    (logs,) = mta.kumod.configuration.log_files
    assert logs.params["log_dir"] == "/var/log/kumomta"
    assert logs.params["max_segment_duration"] == "1 minute"


def test_validation_names_a_pool_whose_source_does_not_exist(host: Host) -> None:
    mta = host()
    edit(mta, "egress.json", lambda data: data["pools"].update(lost=["nowhere"]))
    result = mta.kumod.validate()
    assert result.exit == 1
    assert "egress pool lost: names source nowhere, which does not exist" in result.output


def test_validation_names_a_brand_whose_pool_does_not_exist(host: Host) -> None:
    mta = host()
    edit(mta, "brands.json", lambda data: data["default"].update(pool="nowhere"))
    result = mta.kumod.validate()
    assert result.exit == 1
    assert "brand default: names pool nowhere" in result.output


def test_validation_names_a_sender_domain_whose_brand_does_not_exist(host: Host) -> None:
    mta = host()
    edit(mta, "sender_domains/b.json", lambda data: data["example.com"].update(brand="nobody"))
    assert "sender domain example.com: names brand nobody" in mta.kumod.validate().output


def test_validation_names_a_dkim_key_that_is_not_on_the_host(host: Host) -> None:
    mta = host()
    mta.path("/opt/kumomta/etc/dkim/example.com/s1.key").unlink()
    result = mta.kumod.validate()
    assert result.exit == 1
    assert "/opt/kumomta/etc/dkim/example.com/s1.key" in result.says


def test_validation_names_a_queue_or_source_that_kumod_would_not_take(host: Host) -> None:
    mta = host()
    edit(mta, "brands.json", lambda data: data["default"].update(retry_interval="5 fortnights"))
    edit(mta, "sources.json", lambda data: data["proxy-default"].update(private="proxy-1"))
    output = mta.kumod.validate().output
    assert "queue of brand default: " in output
    assert "egress source proxy-default: " in output


def test_validation_refuses_bounces_that_no_host_would_accept(host: Host) -> None:
    mta = host(settings=settings(domains=[{"name": "example.com", "bounce": "back.example.com"}]))
    mta.path(DATA + "listener_domains.json").write_text("{}")
    assert "its bounces to back.example.com would be refused" in mta.kumod.validate().output


def test_validation_names_a_broken_shaping_table(host: Host) -> None:
    mta = host(settings=settings(shaping={"overrides": {"gmail.com": {"conection_limit": 5}}}))
    result = mta.kumod.validate()
    assert result.exit == 1
    assert "egress path" in result.output
    assert "conection_limit" in result.output


def test_validation_prints_no_secret(host: Host) -> None:
    mta = host(environment={"KUMOPROXY_PORT": "1"})
    result = mta.kumod.validate()
    assert TOKEN not in result.output + "".join(result.errors)


def test_a_proxy_that_requires_a_password_gets_it_from_the_environment(host: Host) -> None:
    chosen = settings(proxies=[{"name": "proxy-1", "authentication": True}])
    assert "KUMOPROXY_PASSWORD is not set" in host(settings=chosen).kumod.validate().output
    mta = host(settings=chosen, environment={"KUMOPROXY_PASSWORD": "secret-of-the-proxy"}).start()
    mta.inject()
    mta.kumod.run()
    assert mta.kumod.smtp.connections[0].socks5_credentials == ("ping8", "secret-of-the-proxy")


def test_a_policy_with_automation_starts_where_there_is_no_daemon(host: Host) -> None:
    mta = host(settings=settings(shaping={"automation": True})).start()
    mta.inject()
    mta.kumod.run()
    assert len(mta.events("Delivery")) == 1
