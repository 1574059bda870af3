"""The command ``validate-shaping``: whether shaping files load."""

import sys

from standins.kumod.api_shaping import Shaping
from standins.kumod.errors import KumoError
from standins.kumod.facts import KumodFacts
from standins.kumod.main import parser
from standins.kumod.resolver import SystemResolver


def main(argv: list[str] | None = None) -> int:
    arguments = parser("validate-shaping")
    arguments.add_argument("files", nargs="+")
    options = arguments.parse_args(argv)
    try:
        shaping = Shaping(KumodFacts(resolver=SystemResolver()), options.files)
    except KumoError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    for warning in shaping.warnings:
        print(f"WARNING: {warning}")  # noqa: T201 - a command
    print("OK")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
