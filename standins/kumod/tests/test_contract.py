"""Parameter tables are refused as kumod's deserializer refuses them."""

from typing import Any

import pytest

from standins.kumod.contract import contract, deserialize, named_type, table_check
from standins.kumod.errors import KumoError


@pytest.mark.parametrize("table", contract()["tables"])
def test_every_table_refuses_what_it_does_not_list(table: str) -> None:
    recorded = contract()["tables"][table]
    if "(unknown fields)" in recorded:
        return
    with pytest.raises(KumoError, match="unknown field `no_such_field`"):
        deserialize(table, {"no_such_field": 1})


@pytest.mark.parametrize("table", contract()["tables"])
def test_every_table_needs_what_is_required(table: str) -> None:
    recorded = contract()["tables"][table]
    required = [name for name in recorded if name.endswith("!")]
    table_check(table)
    if required:
        with pytest.raises(KumoError, match="missing field `"):
            deserialize(table, {})


@pytest.mark.parametrize("name", contract()["lacking"])
def test_what_the_stand_in_lacks_is_refused_by_name(name: str) -> None:
    check = table_check(name) if name in contract()["tables"] else named_type(name)
    for field in contract()["lacking"][name]:
        with pytest.raises(KumoError, match=f"{field} is not in this stand-in for kumod"):
            check({field: 1})


@pytest.mark.parametrize(
    ("table", "params", "said"),
    [
        ("kumo.make_egress_pool", "p", "invalid type: string, expected table"),
        ("kumo.make_egress_source", {"name": 1}, "invalid type: integer `1`, expected a string"),
        (
            "kumo.make_egress_source",
            {"name": "a", "socks5_proxy_server": "proxy.example.com:5000"},
            "invalid socket address syntax",
        ),
        (
            "kumo.make_egress_source",
            {"name": "a", "remote_port": 70000},
            "invalid value: integer `70000`, expected u16",
        ),
        ("kumo.make_egress_path", {"enable_tls": True}, "bad enum value"),
        ("kumo.make_egress_path", {"connection_limit": 0}, "limit must be 1 or larger"),
        (
            "kumo.make_egress_path",
            {"connection_limit": "local:x"},
            "invalid limit 'x': invalid digit found in string",
        ),
        (
            "kumo.make_egress_path",
            {"max_message_rate": "5/fortnight"},
            "unknown period quantity fortnight",
        ),
        (
            "kumo.make_egress_path",
            {"max_message_rate": "0/s"},
            "invalid ThrottleSpec `0/s`: limit must be greater than 0!",
        ),
        ("kumo.make_egress_path", {"skip_hosts": "10.0.0.0/8"}, "invalid type: string, expected"),
        (
            "kumo.make_egress_path",
            {"prohibited_hosts": ["10.0.0.1/8"]},
            "10.0.0.1/8: host part of address was not zero",
        ),
        (
            "kumo.start_http_listener",
            {"trusted_hosts": ["localhost"]},
            "localhost: couldn't parse address in network: invalid IP address syntax",
        ),
        (
            "kumo.start_esmtp_listener",
            {"relay_hosts": {}},
            "invalid type: map, expected a sequence",
        ),
        (
            "kumo.make_queue_config",
            {"max_age": "soon"},
            'invalid value: string "soon", expected a duration',
        ),
        (
            "kumo.make_queue_config",
            {"refresh_strategy": "Never"},
            "unknown variant `Never`, expected `Ttl` or `Epoch`",
        ),
        (
            "kumo.make_queue_config",
            {"protocol": {"smtp": {}, "custom_lua": {}}},
            "data did not match any variant of untagged enum DeliveryProto",
        ),
        (
            "kumo.configure_log_hook",
            {"name": "a", "per_record": {"Any": {"enabled": True}}},
            "unknown field `enabled`, expected one of `suffix`, `log_dir`, `enable`",
        ),
    ],
)
def test_a_wrong_value_is_named(table: str, params: Any, said: str) -> None:
    with pytest.raises(KumoError) as refusal:
        deserialize(table, params)
    assert str(refusal.value).startswith(f"deserialize error: {said}")
    assert ", while processing " in str(refusal.value)


@pytest.mark.parametrize(
    ("table", "params"),
    [
        ("kumo.make_egress_path", {"max_message_rate": "local:1_000/5min,max_burst=10"}),
        ("kumo.make_egress_path", {"idle_timeout": 5, "prohibited_hosts": {}}),
        ("kumo.make_queue_config", {"max_age": 3.5, "retry_interval": "1h 30m"}),
        ("kumo.make_listener_domain", {"log_oob": "LogThenDrop", "log_arf": False}),
        ("kumo.start_http_listener", {"trusted_hosts": ["127.0.0.1", "::1", "10.0.0.0/8"]}),
        ("kumo.define_spool", {"name": "a", "path": "/p", "min_free_space": "5%"}),
        ("kumo.dkim.rsa_sha256_signer",
         {"domain": "d", "selector": "s", "headers": [], "key": {"key_data": "k"}, "x": 1}),
    ],
)  # fmt: skip
def test_what_kumod_takes_is_taken(table: str, params: dict[str, Any]) -> None:
    assert deserialize(table, params) == params
