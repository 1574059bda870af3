"""Strict parameter tables: the recorded contract, turned into checks.

``data/contract.json`` says which fields exist and, where recorded, their types. What the record
cannot say (the order in which kumod lists variants, types that it leaves to the documentation)
stands here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from standins.kumod import field_types as ft
from standins.kumod.errors import DeserializeError
from standins.kumod.field_types import Check, Refused

_CONTRACT = Path(__file__).parent / "data" / "contract.json"

#: kumod lists these fields in another order than the record does.
_FIELD_ORDER = {
    "kumo.memoize (second argument)": ("ttl", "capacity", "name"),
}
#: Structs made of flattened parts: serde does not list their fields.
_FLATTENED = {"kumo.make_egress_path", "kumo.start_esmtp_listener"}

_TLS = ft.enum("Opportunistic", "OpportunisticInsecure", "Required", "RequiredInsecure", "Disabled")
_RECORD_PARAMS = ft.record(
    {
        "suffix": ft.string,
        "log_dir": ft.string,
        "enable": ft.boolean,
        "template": ft.string,
        "segment_header": ft.string,
    }
)
_MX_LIST = ft.list_of(
    ft.untagged(
        "MxListEntry", ft.string, ft.record({"name": ft.string, "addr": ft.ip}, ["name", "addr"])
    )
)
_PROTOCOL = ft.untagged(
    "DeliveryProto",
    ft.record({"smtp": ft.record({"mx_list": _MX_LIST})}, ["smtp"]),
    ft.record(
        {"maildir_path": ft.string, "dir_mode": ft.anything, "file_mode": ft.anything},
        ["maildir_path"],
    ),
    ft.record(
        {
            "custom_lua": ft.record(
                {
                    "constructor": ft.string,
                    "batch_size": ft.integer(),
                    "min_batch_size": ft.integer(),
                    "max_batch_latency": ft.duration,
                    "batch_handling": ft.enum("BifurcateByRecipient", "BatchByDomain"),
                },
                ["constructor"],
            )
        },
        ["custom_lua"],
    ),
)
_MEMORY_POLICY = ft.enum("ShrinkDataAndMeta", "ShrinkData", "NoShrink")
_WAKEUP = ft.enum("Aggressive", "Relaxed")

#: Types that the record does not give, or gives only in words.
_OVERRIDES: Mapping[tuple[str, str], Check] = {
    ("kumo.make_egress_path", "enable_tls"): _TLS,
    ("kumo.make_egress_path", "smtp_port"): ft.u16,
    ("kumo.make_egress_path", "additional_connection_limits"): ft.map_of(ft.string, ft.limit),
    ("kumo.make_egress_path", "additional_message_rate_throttles"): ft.map_of(
        ft.string, ft.throttle
    ),
    ("kumo.make_egress_path", "additional_source_selection_rates"): ft.map_of(
        ft.string, ft.throttle
    ),
    ("kumo.make_egress_path", "source_selection_rate"): ft.throttle,
    ("kumo.make_egress_path", "allow_smtp_auth_plain_without_tls"): ft.boolean,
    ("kumo.make_egress_path", "consecutive_connection_failures_before_delay"): ft.integer(),
    ("kumo.make_egress_path", "enable_pipelining"): ft.boolean,
    ("kumo.make_egress_path", "enable_rset"): ft.boolean,
    ("kumo.make_egress_path", "ignore_8bit_checks"): ft.boolean,
    ("kumo.make_egress_path", "low_memory_reduction_policy"): _MEMORY_POLICY,
    ("kumo.make_egress_path", "no_memory_reduction_policy"): _MEMORY_POLICY,
    ("kumo.make_egress_path", "dispatcher_wakeup_strategy"): _WAKEUP,
    ("kumo.make_egress_path", "maintainer_wakeup_strategy"): _WAKEUP,
    ("kumo.make_egress_path", "max_recipients_per_batch"): ft.integer(),
    ("kumo.make_egress_path", "opportunistic_tls_reconnect_on_failed_handshake"): ft.boolean,
    ("kumo.make_egress_path", "reconnect_strategy"): ft.enum(
        "TerminateSession", "ReconnectSameHost", "ConnectNextHost"
    ),
    ("kumo.make_egress_path", "smtp_auth_plain_password"): ft.key_source,
    ("kumo.make_egress_path", "smtp_auth_plain_username"): ft.string,
    ("kumo.make_egress_path", "tls_certificate"): ft.key_source,
    ("kumo.make_egress_path", "tls_private_key"): ft.key_source,
    ("kumo.make_egress_path", "tls_prefer_openssl"): ft.boolean,
    ("kumo.make_egress_path", "try_next_host_on_transport_error"): ft.boolean,
    ("kumo.make_egress_path", "use_lmtp"): ft.boolean,
    ("kumo.make_egress_path", "remember_broken_tls"): ft.duration,
    **{
        ("kumo.make_egress_path", f"{name}_timeout"): ft.duration
        for name in (
            "banner",
            "data_dot",
            "data",
            "ehlo",
            "idle",
            "mail_from",
            "rcpt_to",
            "rset",
            "starttls",
        )
    },
    ("kumo.make_egress_pool", "entries"): ft.list_of(
        ft.record({"name": ft.string, "weight": ft.u32}, ["name"])
    ),
    ("kumo.make_egress_source", "remote_port"): ft.u16,
    ("kumo.make_queue_config", "protocol"): _PROTOCOL,
    ("kumo.make_queue_config", "strategy"): ft.enum(
        "TimerWheel", "SkipList", "SingletonTimerWheel", "SingletonTimerWheelV2"
    ),
    ("kumo.make_queue_config", "shrink_policy"): ft.list_of(
        ft.record({"interval": ft.duration, "policy": _MEMORY_POLICY}, ["interval", "policy"])
    ),
    ("kumo.start_esmtp_listener", "allow_xclient"): ft.list_of(ft.cidr),
    ("kumo.start_esmtp_listener", "relay_hosts"): ft.buffered_list_of(ft.cidr),
    ("kumo.start_esmtp_listener", "client_timeout"): ft.duration,
    ("kumo.start_esmtp_listener", "data_processing_timeout"): ft.duration,
    ("kumo.start_esmtp_listener", "data_buffer_size"): ft.integer(),
    ("kumo.start_esmtp_listener", "deferred_queue"): ft.boolean,
    ("kumo.start_esmtp_listener", "deferred_spool"): ft.boolean,
    ("kumo.start_esmtp_listener", "line_length_hard_limit"): ft.integer(),
    ("kumo.start_esmtp_listener", "max_connections"): ft.integer(),
    ("kumo.start_esmtp_listener", "max_messages_per_connection"): ft.integer(),
    ("kumo.start_esmtp_listener", "max_recipients_per_message"): ft.integer(),
    ("kumo.start_esmtp_listener", "invalid_line_endings"): ft.enum("Deny", "Allow", "Fix"),
    ("kumo.start_esmtp_listener", "batch_handling"): ft.enum(
        "BifurcateByRecipient", "BatchByDomain"
    ),
    ("kumo.start_esmtp_listener", "tls_required_client_ca"): ft.key_source,
    ("kumo.start_esmtp_listener", "trace_headers"): ft.record(
        {
            "received_header": ft.boolean,
            "supplemental_header": ft.boolean,
            "header_name": ft.string,
            "include_meta_names": ft.list_of(ft.string),
        }
    ),
    ("kumo.memoize (second argument)", "retry_on_populate_timeout"): ft.boolean,
    ("kumo.memoize (second argument)", "populate_timeout"): ft.duration,
    ("kumo.memoize (second argument)", "allow_stale_reads"): ft.boolean,
    ("kumo.configure_redis_throttles", "node"): ft.untagged(
        "NodeSpec", ft.string, ft.list_of(ft.string)
    ),
    ("proxy.start_proxy_listener", "hostname"): ft.string,
    ("proxy.start_proxy_listener", "listen"): ft.listen_address,
    ("proxy.start_proxy_listener", "require_auth"): ft.boolean,
    ("proxy.start_proxy_listener", "timeout"): ft.duration,
    ("proxy.start_proxy_listener", "tls_certificate"): ft.key_source,
    ("proxy.start_proxy_listener", "tls_private_key"): ft.key_source,
    ("proxy.start_proxy_listener", "use_splice"): ft.boolean,
    ("proxy.start_proxy_listener", "use_tls"): ft.boolean,
}

_BY_WORDS: tuple[tuple[str, Check], ...] = (
    ('int or "local:int"', ft.limit),
    ("int", ft.integer()),
    ("duration", ft.duration),
    ("percent", ft.percent),
    ("list of CIDR", ft.list_of(ft.cidr)),
    ("list of string", ft.list_of(ft.string)),
    ("list of path", ft.list_of(ft.string)),
    ("enum or bool", ft.report_disposition),
    ("throttle", ft.throttle),
    ("ip:port", ft.socket_address),
    ("ip", ft.ip),
    ("key source", ft.key_source),
    ("string", ft.string),
    ("path", ft.string),
    ("glob", ft.string),
    ("bool", ft.boolean),
    ("table", ft.map_of(ft.anything, ft.anything)),
)


@cache
def contract() -> dict[str, Any]:
    """The recorded contract."""
    loaded: dict[str, Any] = json.loads(_CONTRACT.read_text(encoding="utf-8"))
    return loaded


def _field(table: str, name: str, words: str) -> Check:
    if (table, name) in _OVERRIDES:
        return _OVERRIDES[table, name]
    if name == "listen":
        return ft.listen_address
    if name == "per_record":
        return ft.map_of(ft.enum(*contract()["log_record_types"]), _RECORD_PARAMS)
    if words.startswith("enum ") and "|" in words and "bool" not in words:
        return ft.enum(*re.findall(r"\w+", words.removeprefix("enum ")))
    for prefix, check in _BY_WORDS:
        if words.startswith(prefix):
            return check
    return ft.anything


@cache
def table_check(table: str) -> Check:
    """The check of one recorded parameter table."""
    recorded: dict[str, Any] = contract()["tables"][table]
    first = _FIELD_ORDER.get(table, ())
    names = [*first, *(name for name in recorded if name not in first and name[0] != "(")]
    return ft.record(
        {name: _field(table, name, recorded[name]["type"]) for name in names},
        [name for name in names if recorded[name].get("required")],
        deny_unknown="(unknown fields)" not in recorded,
        flattened=table in _FLATTENED,
    )


def deserialize(table: str, params: Any) -> dict[str, Any]:
    """The parameters, if kumod would take them; else its complaint."""
    return deserialize_with(table_check(table), params)


def deserialize_with(check: Callable[[Any], None], params: Any) -> dict[str, Any]:
    """As ``deserialize``, for a table that the contract does not list."""
    if isinstance(params, list) and not params:
        params = {}
    try:
        check(params)
    except Refused as refusal:
        shown = json.dumps(params, separators=(",", ":"), ensure_ascii=False, default=str)
        raise DeserializeError(f"deserialize error: {refusal}, while processing {shown}") from None
    result: dict[str, Any] = dict(params)
    return result


def multiple_events() -> frozenset[str]:
    """Events that take several handlers."""
    return frozenset(
        name for name, event in contract()["events"].items() if event["handlers"] == "multiple"
    )


#: Where the record names the methods of each kind of object.
_METHODS: Mapping[str, tuple[str, ...]] = {
    "Message": ("message_methods",),
    "HttpClient": ("http_client", "client_methods"),
    "HttpRequest": ("http_client", "request_methods"),
    "HttpResponse": ("http_client", "response_methods"),
    "Tailer": ("objects", "tailer"),
    "LogBatch": ("objects", "batch"),
}


def methods(written: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """By kind of object every method that kumod has: a call of one that is missing says so."""
    found = {kind: set(names) for kind, names in written.items()}
    for kind, way in _METHODS.items():
        recorded: Any = contract()
        for step in way:
            recorded = recorded[step]
        found[kind] = found.get(kind, set()) | set(recorded)
    return found
