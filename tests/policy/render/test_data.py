"""The data files beside the Lua: what kumod gets to know of an environment."""

import json
import tomllib
from pathlib import Path
from typing import Any

from policy.contract import POLICY
from policy.dns.plan import mail_records
from policy.render import data
from policy.render.domains import sender_domain_file
from policy.render.environment import mta_environment
from policy.render.example import example_addresses, throw_away_secrets
from policy.settings import Settings
from policy.settings.hosts import MtaHosts
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import Mta

LUA = Path(data.__file__).parents[1] / "kumomta"


def load(chosen: Settings, name: str) -> Any:
    return json.loads(data.data_files(chosen, "mta-1", example_addresses(chosen))[name])


def test_the_same_settings_give_the_same_bytes() -> None:
    first, second = settings(), settings()
    assert data.policy_files(first, "mta-1", example_addresses(first)) == data.policy_files(
        second, "mta-1", example_addresses(second)
    )


def test_no_file_of_the_policy_holds_a_secret() -> None:
    chosen = settings()
    secrets = throw_away_secrets(chosen)
    for file in data.policy_files(chosen, "mta-1", example_addresses(chosen)):
        assert not file.secret
        assert (file.mode, file.owner) == (0o644, "root")
        for secret in (secrets.webhook_token, secrets.injection_token, *secrets.dkim_keys.values()):
            assert secret.encode() not in file.content


def test_a_held_domain_that_is_ready_changes_one_line_and_restarts_nothing() -> None:
    domains = [{"name": "a.example.com"}, {"name": "b.example.com"}, {"name": "c.example.com"}]
    before = settings(domains=domains, unpublished=["a.example.com", "b.example.com"])
    after = settings(domains=domains, unpublished=["a.example.com"])
    old, new = (data.policy_files(one, "mta-1", example_addresses(one)) for one in (before, after))
    changed = [(one, other) for one, other in zip(old, new, strict=True) if one != other]
    ((one, other),) = changed
    assert "/sender_domains/" in one.path
    assert other.effects == ()
    lines = zip(one.content.splitlines(), other.content.splitlines(), strict=True)
    assert [line for line, now in lines if line != now] == [
        b'  "b.example.com": {"brand": "default", "held": true, '
        b'"signers": [{"algorithm": "rsa", "selector": "s1"}]}'
    ]


def test_lua_is_the_same_in_every_environment() -> None:
    one = settings()
    other = settings(zone="mail.example.org", webhook={"url": "https://other.example.org/events"})
    assert _lua(one) == _lua(other)


def _lua(chosen: Settings) -> list[tuple[str, bytes]]:
    files = data.policy_files(chosen, "mta-1", example_addresses(chosen))
    return [(file.path, file.content) for file in files if file.path.endswith(".lua")]


def test_the_environment_file_describes_the_default_source_of_the_data() -> None:
    chosen = settings()
    addresses = example_addresses(chosen)
    rendered = mta_environment(chosen, addresses, throw_away_secrets(chosen)).content.decode()
    for name, value in data.environment(chosen, addresses).items():
        assert f'{name}="{value}"\n' in rendered


def test_a_source_binds_its_private_address_behind_its_proxy() -> None:
    chosen = settings(
        sources=[
            {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
            {"name": "second", "proxy": "proxy-1", "ehlo": "out2"},
        ]
    )
    addresses = example_addresses(chosen)
    second = load(chosen, "sources.json")["second"]
    assert second["private"] == addresses.sources["second"].private
    assert second["public"] == addresses.sources["second"].public
    assert second["proxy"] == f"{addresses.proxies['proxy-1'].private}:5000"
    assert second["ehlo_domain"] == "out2.mail.example.com"


def test_only_a_source_that_another_proxy_can_stand_in_for_pauses_with_its_proxy() -> None:
    chosen = settings(
        proxies=[{"name": "proxy-1"}, {"name": "proxy-2"}],
        sources=[
            {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
            {"name": "second", "proxy": "proxy-2", "ehlo": "out2"},
            {"name": "third", "proxy": "proxy-2", "ehlo": "out3"},
            {"name": "fourth", "proxy": "proxy-2", "ehlo": "out4"},
        ],
        pools=[
            {"name": "shared-default", "sources": {"proxy-default": 1, "second": 1}},
            {"name": "alone", "sources": {"third": 1, "fourth": 1}},
        ],
    )
    pausing = [
        name
        for name, source in load(chosen, "sources.json").items()
        if "proxy_suspension" in source
    ]
    assert pausing == ["proxy-default", "second"]


def test_kumod_and_tsa_daemon_read_the_same_shaping_files() -> None:
    daemon = (LUA.parent / "tsa" / "init.lua").read_text()
    paths = (LUA / "paths.lua").read_text()
    assert "load('warm_up').files" in daemon
    assert "extra_files = options.files" in paths
    assert "no_default_files = true" in paths
    own = f"{POLICY}/data/shaping.toml"
    assert load(settings(shaping={"community": False}), "warm_up.json")["files"] == [own]
    stock, community, last = load(settings(), "warm_up.json")["files"]
    assert (stock.split("/")[-2], community.split("/")[-2], last) == (
        "policy-extras",
        "community",
        own,
    )


def test_a_host_obeys_its_own_tsa_daemon_and_reports_to_all() -> None:
    chosen = settings(shaping={"automation": True})
    assert load(chosen, "automation.json") == {
        "listen": ["127.0.0.1:8008"],
        "trusted_hosts": ["127.0.0.1"],
        "publish": ["http://127.0.0.1:8008"],
        "subscribe": ["http://127.0.0.1:8008"],
    }
    several = chosen.model_copy(update={"mta": MtaHosts(nodes=3)})
    addresses = example_addresses(several)
    one, two, three = (addresses.mta[f"mta-{number}"].private for number in (1, 2, 3))
    files = data.data_files(several, "mta-2", addresses)
    assert json.loads(files["automation.json"]) == {
        "listen": ["127.0.0.1:8008", f"{two}:8008"],
        "trusted_hosts": ["127.0.0.1", one, three],
        "publish": ["http://127.0.0.1:8008", f"http://{one}:8008", f"http://{three}:8008"],
        "subscribe": ["http://127.0.0.1:8008"],
    }
    tables = tomllib.loads(files["shaping.toml"].decode())
    # Without the limits of mail, which would delay records.
    for place in ("127.0.0.1", one, three):
        assert tables[f"http://{place}:8008.tsa.kumomta"]["connection_limit"] == "local:5"


def test_every_active_key_signs_and_the_next_one_does_not() -> None:
    chosen = settings(
        domains=[{"name": "example.com", "dkim": {"active": "s2", "ed25519": True}}],
    )
    assert load(chosen, "sender_domains/b.json")["example.com"]["signers"] == [
        {"selector": "s2", "algorithm": "rsa"},
        {"selector": "s2-ed", "algorithm": "ed25519"},
    ]


def test_bounce_and_feedback_domains_take_reports() -> None:
    chosen = settings(domains=[{"name": "example.com", "feedback": "fbl.example.com"}])
    assert load(chosen, "listener_domains.json") == {
        "fbl.example.com": True,
        "default.bounce.mail.example.com": True,
    }


def test_receptions_are_never_disabled_at_the_logger_since_bounces_are_made_from_them() -> None:
    chosen = settings(
        webhook={
            "url": "https://app.example.com/events",
            "leave_out": ["Reception", "InboundReception", "Delayed"],
        }
    )
    assert load(chosen, "server.json")["disabled_records"] == ["Delayed"]
    assert load(chosen, "webhook.json")["leave_out"] == {
        "Reception": True,
        "InboundReception": True,
        "Delayed": True,
    }


def test_shaping_opens_the_webhook_queue_and_layers_the_settings_over_the_defaults() -> None:
    chosen = settings(
        shaping={"overrides": {"default": {"connection_limit": 3}, "gmail.com": {"max_ready": 10}}}
    )
    tables = tomllib.loads(_shaping(chosen))
    ranges = tables["default"].pop("skip_hosts")
    assert "10.0.0.0/8" in ranges
    assert tables["default"] == {
        "max_ready": 8192,
        "enable_tls": "OpportunisticInsecure",
        "ip_lookup_strategy": "Ipv4Only",
        "smtp_port": 25,
        "system_shutdown_timeout": "240s",
        "connect_timeout": "30s",
        "connection_limit": 3,
    }
    assert tables["gmail.com"] == {"max_ready": 10}
    assert tables["ping8.log-hook"]["mx_rollup"] is False
    assert tables["ping8.log-hook"]["connection_limit"] == "local:10"


def _shaping(chosen: Settings) -> str:
    return data.data_files(chosen, "mta-1", example_addresses(chosen))["shaping.toml"].decode()


def test_a_change_of_sender_domains_restarts_nothing_and_one_of_the_server_does() -> None:
    chosen = settings()
    effects = {
        file.path.removeprefix(f"{POLICY}/").removeprefix("data/"): file.effects
        for file in data.policy_files(chosen, "mta-1", example_addresses(chosen))
    }
    for name in ("sender_domains/b.json", "egress.json", "shaping.toml", "reception.lua"):
        assert effects[name] == ()
    for name in ("server.json", "server.lua", "correlation.lua", "log_hook.lua", "sources.json"):
        assert effects[name] == ("restart kumomta.service",)


def test_reports_are_taken_at_every_name_that_has_our_mx() -> None:
    chosen = settings(
        domains=[
            {"name": "example.com", "feedback": "fbl.example.com"},
            {"name": "example.net", "bounce": "returns.example.net"},
            {"name": "news.mail.example.com"},
        ]
    )
    with_mx = {record.name for record in mail_records(chosen) if record.type == "MX"}
    assert with_mx <= set(load(chosen, "listener_domains.json"))


def test_one_more_sender_domain_with_keys_of_its_brand_is_one_line_of_data() -> None:
    def files(*names: str) -> dict[str, bytes]:
        chosen = settings(domains=[{"name": name, "dkim": {"keys": "brand"}} for name in names])
        return data.data_files(chosen, "mta-1", example_addresses(chosen))

    before, after = files("a.example"), files("a.example", "b.example")
    file = sender_domain_file("b.example")
    assert [name for name in after if after[name] != before[name]] == [file]
    assert json.loads(before[file]) == {}
    assert after[file].splitlines()[1:-1] == [b'  "b.example": "default"']


def test_kumod_restarts_for_every_module_that_its_start_runs(tmp_path: Path) -> None:
    mta = Mta(root=tmp_path)
    mta.path(f"{POLICY}/loaded.lua").write_text(
        "require 'server'\nfor name in pairs(package.loaded) do print(name) end"
    )
    kumod = mta.new_kumod("loaded.lua")
    kumod.validate()
    ours = {path.stem for path in LUA.glob("*.lua")}
    assert {f"{name}.lua" for name in ours & set(kumod.printed)} == data.read_at_start()
    assert {"egress.lua", "environment.lua"} <= data.read_at_start()
