"""The command ``kcli``: the few subcommands that an operator of the sandbox needs."""

import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from standins.kumod.main import LABEL

_ENDPOINT = "http://127.0.0.1:8000"


def _call(endpoint: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - the operator's own endpoint
        f"{endpoint}{path}", data=data, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - as above
        return json.loads(response.read())


def queue_summary(options: argparse.Namespace) -> str:
    """One line for each domain with scheduled messages."""
    metrics = _call(options.endpoint, "/metrics.json")
    by_domain = metrics.get("scheduled_by_domain", {}).get("value", {}).get("domain", {})
    lines = [f"{'SCHEDULED QUEUE':<40} COUNT"]
    lines += [f"{domain:<40} {count}" for domain, count in sorted(by_domain.items())]
    return "\n".join(lines)


def inspect_queue(options: argparse.Namespace) -> str:
    query = {"queue_name": options.queue, "want_body": "true" if options.want_body else "false"}
    if options.limit is not None:
        query["limit"] = str(options.limit)
    path = f"/api/admin/inspect-sched-q/v1?{urllib.parse.urlencode(query)}"
    return json.dumps(_call(options.endpoint, path), indent=2)


def inspect_message(options: argparse.Namespace) -> str:
    query = {"id": options.id, "want_body": "true" if options.want_body else "false"}
    path = f"/api/admin/inspect-message/v1?{urllib.parse.urlencode(query)}"
    return json.dumps(_call(options.endpoint, path), indent=2)


def bounce(options: argparse.Namespace) -> str:
    names = ("domain", "campaign", "tenant", "routing_domain", "reason")
    body = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if not options.everything and not set(body) - {"reason"}:
        raise SystemExit("Error: name what to bounce, or say --everything")
    return json.dumps(_call(options.endpoint, "/api/admin/bounce/v1", body), indent=2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kcli", description="A stand-in for KumoMTA's kcli; not KumoMTA."
    )
    parser.add_argument("--endpoint", default=_ENDPOINT)
    parser.add_argument("--version", action="version", version=f"kcli {LABEL}")
    commands = parser.add_subparsers(required=True)
    summary = commands.add_parser("queue-summary")
    summary.set_defaults(run=queue_summary)
    queue = commands.add_parser("inspect-sched-q")
    queue.add_argument("queue")
    queue.add_argument("--limit", type=int)
    queue.add_argument("--want-body", action="store_true")
    queue.set_defaults(run=inspect_queue)
    message = commands.add_parser("inspect-message")
    message.add_argument("id")
    message.add_argument("--want-body", action="store_true")
    message.set_defaults(run=inspect_message)
    bounced = commands.add_parser("bounce")
    for name in ("--domain", "--campaign", "--tenant", "--routing-domain"):
        bounced.add_argument(name)
    bounced.add_argument("--reason", required=True)
    bounced.add_argument("--everything", action="store_true")
    bounced.set_defaults(run=bounce)
    return parser


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        text = options.run(options)
    except urllib.error.HTTPError as error:
        print(f"Error: {error.read().decode('utf-8', 'replace')}", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        print(f"Error: {options.endpoint}: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    print(text)  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
