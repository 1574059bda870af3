"""An operator of the sandbox: the key, and where the `ping8` commands find what they need."""

import json
import subprocess
import sys

from pulumi import automation

from ops import local
from sandbox import dns
from sandbox.engine import ensure_engine
from sandbox.layout import Layout
from sandbox.parts import STACK


def public_key(layout: Layout) -> str:
    """The operator's public SSH key; made once."""
    key = layout.state / "operator" / "key"
    if not key.exists():
        key.parent.mkdir(mode=0o700, exist_ok=True)
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sandbox", "-f", str(key)]
        subprocess.run(make, check=True)
    return key.with_suffix(".pub").read_text("utf-8").strip()


def let_in(layout: Layout, stack: automation.Stack) -> None:
    """The next deployment lets the operator log in, in addition to those in the settings."""
    operators = json.loads(stack.get_config("operators").value)
    place = f"operators.sshKeys[{len(operators.get('sshKeys', []))}]"
    stack.set_config(place, automation.ConfigValue(value=public_key(layout)), path=True)


def introduce(layout: Layout, stack: automation.Stack, authorities: str) -> None:
    """Records for the commands where this sandbox's engine, state and keys are."""
    folder = layout.state / "operator"
    config = folder / "ssh_config"
    config.write_text(f"Host *\n  IdentityFile {folder / 'key'}\n  IdentitiesOnly yes\n")
    trusted = folder / "authorities.pem"
    trusted.write_text(authorities)
    environment = dict(stack.workspace.env_vars)
    local.write(
        local.LocalStack(
            stack=STACK,
            pulumi=str(ensure_engine(layout.cache)),
            project=str(stack.workspace.work_dir),
            environment=environment,
            ssh_config=str(config),
            operator_key=public_key(layout),
            authorities=str(trusted),
            resolver=dns.SERVER,
            # The commands may be run in any folder.
            updates=(
                *("env", f"PYTHONPATH={layout.root}", sys.executable),
                *("-m", "sandbox.updates"),
            ),
            mail=str(layout.world / "mail.jsonl"),
        ),
        layout.state / "operator.json",
    )
