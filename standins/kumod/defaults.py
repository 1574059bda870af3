"""kumod's defaults for what the make_* functions leave out."""

from __future__ import annotations

from typing import Any

EGRESS_SOURCE: dict[str, Any] = {"ttl": "60s"}
EGRESS_POOL: dict[str, Any] = {"entries": [], "ttl": "60s"}
EGRESS_PATH: dict[str, Any] = {
    "connection_limit": 32,
    "connect_timeout": "60s",
    "banner_timeout": "60s",
    "ehlo_timeout": "5m",
    "mail_from_timeout": "5m",
    "rcpt_to_timeout": "5m",
    "data_timeout": "30s",
    "data_dot_timeout": "60s",
    "idle_timeout": "60s",
    "rset_timeout": "5s",
    "starttls_timeout": "5s",
    "system_shutdown_timeout": "5m",
    "enable_tls": "Opportunistic",
    "enable_dane": False,
    "enable_mta_sts": True,
    "consecutive_connection_failures_before_delay": 100,
    "ip_lookup_strategy": "Ipv4AndIpv6",
    "max_ready": 1024,
    "max_deliveries_per_connection": 1024,
    "prohibited_hosts": ["127.0.0.0/8", "::1", "0.0.0.0", "::"],  # noqa: S104 - a network
    "skip_hosts": [],
    "smtp_port": 25,
    "refresh_interval": "60s",
    "refresh_strategy": "Ttl",
    "additional_connection_limits": {},
    "additional_message_rate_throttles": {},
    "additional_source_selection_rates": {},
}
QUEUE: dict[str, Any] = {
    "retry_interval": "20m",
    "max_age": "7d",
    "protocol": {"smtp": {"mx_list": []}},
    "reap_interval": "10m",
    "refresh_interval": "1m",
    "refresh_strategy": "Ttl",
    "strategy": "SingletonTimerWheelV2",
    "shrink_policy": [],
}
LISTENER_DOMAIN: dict[str, Any] = {
    "relay_to": False,
    "log_oob": "Ignore",
    "log_arf": "Ignore",
    "relay_from": [],
    "ttl": "60s",
}
UNSPECIFIED_SOURCE: dict[str, Any] = {**EGRESS_SOURCE, "name": "unspecified"}
UNSPECIFIED_POOL: dict[str, Any] = {
    **EGRESS_POOL,
    "name": "unspecified",
    "entries": [{"name": "unspecified", "weight": 1}],
}
LRUTTL_CACHES = frozenset(
    {
        "acl_check", "acl_definition", "dkim_key_cache", "dkim_signer_cache", "dns_resolver_ip",
        "dns_resolver_ipv4", "dns_resolver_ipv6", "dns_resolver_mx", "egress_source_pools",
        "egress_source_sources", "mod_filesystem_glob_cache", "mta_sts_policy",
        "rustls_client_config", "smtp_dispatcher_broken_tls",
        "smtp_dispatcher_client_certificate", "smtp_server_tls_config",
    }
)  # fmt: skip
