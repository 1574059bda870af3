"""`pulumi preview` and `pulumi up` for operators' commands.

The sandbox's engine has no plugin that runs Python programs: this process runs the program.
"""

import argparse
import sys

from pulumi import automation

from sandbox import cloud, program
from sandbox.engine import ensure_engine, real_providers
from sandbox.layout import Layout


def main() -> int:
    """Runs one of them with the options that operators' commands use; its exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["preview", "up"])
    parser.add_argument("--target", action="append")
    parser.add_argument("--expect-no-changes", action="store_true")
    parser.add_argument("--stack")
    for way in ("--non-interactive", "--skip-preview", "--yes"):
        parser.add_argument(way, action="store_true", help="always so")
    options = parser.parse_args()
    try:
        _run(options)
    except (automation.CommandError, KeyboardInterrupt):
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    layout = Layout.of_checkout()
    engine, endpoints = ensure_engine(layout.cache), cloud.endpoints(layout.daemons)
    if endpoints is None:
        sys.exit("no sandbox is up here; `make sandbox` brings one up")
    stack = program.open_stack(layout, engine, endpoints, real=real_providers(layout, engine))
    if options.verb == "up":
        stack.up(target=options.target, on_output=_say, on_error=_say, suppress_progress=True)
    else:
        stack.preview(
            target=options.target,
            expect_no_changes=options.expect_no_changes,
            on_output=_say,
            on_error=_say,
            suppress_progress=True,
        )


def _say(line: str) -> None:
    sys.stdout.write(f"{line.rstrip()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
