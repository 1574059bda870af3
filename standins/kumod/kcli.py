"""The command `kcli`: the one subcommand that operators are told to use."""

import json
import sys
import urllib.request

from standins.kumod.main import parser

_ENDPOINT = "http://127.0.0.1:8000"


def main(argv: list[str] | None = None) -> int:
    arguments = parser("kcli")
    arguments.add_argument("--endpoint", default=_ENDPOINT)
    arguments.add_argument("command", choices=["queue-summary"])
    options = arguments.parse_args(argv)
    url = f"{options.endpoint}/metrics.json"
    try:
        with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310 - the operator's own endpoint
            metrics = json.loads(response.read())
    except OSError as error:
        print(f"Error: {options.endpoint}: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    print(f"{'SCHEDULED QUEUE':<40} COUNT")  # noqa: T201 - a command
    by_domain = metrics.get("scheduled_by_domain", {}).get("value", {}).get("domain", {})
    for domain, count in sorted(by_domain.items()):
        print(f"{domain:<40} {count}")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
