"""Names, paths and thresholds that the agent shares with the policy and the operators' tools.

`policy.contract` re-exports them and adds what no host needs.
"""

SPOOL = "/var/spool/kumomta"
LOGS = "/var/log/kumomta"
AUDIT = "/var/log/ping8/audit"
OUTBOX = f"{SPOOL}/ping8/outbox"
DEAD_LETTERS = f"{SPOOL}/ping8/dead-letters.sqlite"
REPUTATION = f"{SPOOL}/ping8/reputation.json"
POLICY = "/opt/kumomta/etc/policy"
DKIM_KEYS = "/opt/kumomta/etc/dkim"
ENVIRONMENT = "/etc/default/kumomta"
NGINX_CONF = "/etc/nginx/ping8/nginx.conf"

EVENT_QUEUE = "ping8.log-hook"
"""The queue of events for the webhook."""

FORWARDER_PORT = 8010
FORWARDER = f"http://127.0.0.1:{FORWARDER_PORT}/"
"""Where the log hook posts; `hostagent.events.forwarder` forwards each event to PING8."""
