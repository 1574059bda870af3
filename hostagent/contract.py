"""Names, paths and thresholds that the agent shares with the policy and the operators' tools.

`policy.contract` re-exports them and adds what no host needs.
"""

SPOOL = "/var/spool/kumomta"
LOGS = "/var/log/kumomta"
AUDIT = "/var/log/ping8/audit"
OUTBOX = f"{SPOOL}/ping8/outbox"
DEAD_LETTERS = f"{SPOOL}/ping8/dead-letters.sqlite"
REPUTATION = f"{SPOOL}/ping8/reputation.json"
INBOX = f"{SPOOL}/ping8/inbox/new"
LIFE = f"{SPOOL}/ping8/kumod.json"
RECONCILED = f"{SPOOL}/ping8/reconciled.json"
KUMOMTA = "/opt/kumomta"
KUMOD = f"{KUMOMTA}/sbin/kumod"
POLICY = f"{KUMOMTA}/etc/policy"
WEBHOOK_SETTINGS = f"{POLICY}/data/webhook.json"
DKIM_KEYS = f"{KUMOMTA}/etc/dkim"
ENVIRONMENT = "/etc/default/kumomta"
METRICS = "/etc/ping8/metrics.json"
NGINX_CONF = "/etc/nginx/ping8/nginx.conf"

DRAINING = "/opt/ping8/draining.json"
"""Who drains this node, and since when; the node is unhealthy for the balancer while it exists."""
REFUSING = "/opt/ping8/refusing"
"""While it exists, Nginx refuses injections with 503."""

HEALTH_PATH = "/healthz"
"""Where a balancer asks Nginx whether this node should get injections."""

EVENT_QUEUE = "ping8.log-hook"
"""The queue of events for the webhook."""

KUMOD_PORT = 8000
KUMOD_API = f"http://127.0.0.1:{KUMOD_PORT}"
"""kumod's HTTP listener: injection behind Nginx, metrics and the admin API."""

TSA_PORT = 8008
TSA = f"http://127.0.0.1:{TSA_PORT}"
"""tsa-daemon's HTTP listener."""
AUTOMATION_QUEUE = ".tsa.kumomta"
"""How the queues of records for a tsa-daemon end, after its URL."""

TRANSFER_QUEUE = ".xfer.kumomta.internal"
"""How the queues of messages to another node end, after its URL."""

FORWARDER_PORT = 8010
FORWARDER = f"http://127.0.0.1:{FORWARDER_PORT}/"
"""Where the log hook posts; `hostagent.events.forwarder` forwards each event to PING8."""
