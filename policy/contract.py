"""What PING8, KumoMTA and our languages agree on. Each fact is defined only here.

The Lua modules are the same in every environment and read no Python:
`tests/policy/test_contract.py` compares their constants with these.
"""

from hostagent.contract import (
    AUTOMATION_QUEUE,
    DEAD_LETTERS,
    DKIM_KEYS,
    ENVIRONMENT,
    EVENT_QUEUE,
    FORWARDER,
    HEALTH_PATH,
    INBOX,
    KUMOD_API,
    KUMOD_PORT,
    LIFE,
    LOGS,
    METRICS,
    OUTBOX,
    POLICY,
    RECONCILED,
    REPUTATION,
    SPOOL,
    TSA,
    TSA_PORT,
)

SENDER = "ping8_webhook_sender"
"""The Lua event that makes the sender of the event queue."""

LOG_HOOK = "ping8"
TRANSFER_PORT = 8001
"""Where the other nodes hand over messages, on a node's private address."""

LIMITS_PORT = 6379
LIMITS_USER = "default"
"""Of the Valkey server of the shared limits; its user group must have a user of this name."""

SOCKS_USER = "ping8"
"""The user name for proxies that ask for a password."""

DEFAULT_SOURCE = "proxy-default"
DEFAULT_POOL = "shared-default"
"""The source and the pool that the contract with PING8 names."""

EGRESS_PATH = {
    "enable_tls": "OpportunisticInsecure",
    "ip_lookup_strategy": "Ipv4Only",
    "smtp_port": 25,
}
"""How mail leaves unless a shaping rule says otherwise."""

RETRY = {"retry_interval": "5m", "max_retry_interval": "24h", "max_age": "7d"}
"""Retries and expiry of mail without a brand, or of a brand that sets none."""

KUMOD_REFUSES_BELOW = 10
"""Percent of free space or inodes of spool or logs below which kumod takes no mail, by default
(docs.kumomta.com/reference/kumo/define_spool, `min_free_space`)."""

ED25519_SUFFIX = "-ed"
"""What the selectors of Ed25519 keys end in."""

__all__ = [
    "AUTOMATION_QUEUE",
    "DEAD_LETTERS",
    "DEFAULT_POOL",
    "DEFAULT_SOURCE",
    "DKIM_KEYS",
    "ED25519_SUFFIX",
    "EGRESS_PATH",
    "ENVIRONMENT",
    "EVENT_QUEUE",
    "FORWARDER",
    "HEALTH_PATH",
    "INBOX",
    "KUMOD_API",
    "KUMOD_PORT",
    "KUMOD_REFUSES_BELOW",
    "LIFE",
    "LIMITS_PORT",
    "LIMITS_USER",
    "LOGS",
    "LOG_HOOK",
    "METRICS",
    "OUTBOX",
    "POLICY",
    "RECONCILED",
    "REPUTATION",
    "RETRY",
    "SENDER",
    "SOCKS_USER",
    "SPOOL",
    "TRANSFER_PORT",
    "TSA",
    "TSA_PORT",
]
