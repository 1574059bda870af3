"""The release of a host, pushed over one SSH connection."""

from dataclasses import dataclass

import pulumi
import pulumi_command as command

from components.credentials import KeyPair
from policy.cloud_init import LOGIN_USER
from policy.push import parse_report, push_command

DIAL_TIMEOUT = 10
DIAL_ERRORS = 40
"""Retries are up to 5 seconds apart: this waits 3 minutes for a host that boots, and 9
for one that does not answer at all."""


@dataclass(frozen=True, kw_only=True)
class HostReleaseArgs:
    """What is pushed, and where. `push_input` is secret: it contains every file of the host."""

    address: pulumi.Input[str]
    host_public_key: pulumi.Input[str]
    deploy: KeyPair
    push_input: pulumi.Output[str]
    time_limit: str
    ready: tuple[pulumi.Resource, ...]
    """Resources that must exist before the push."""


class HostRelease(pulumi.ComponentResource):
    """A host's files, all of one release.

    Creates:
    - one remote command that gets the release on standard input; a new input pushes again
    """

    release_id: pulumi.Output[str]

    command: pulumi.Resource

    def __init__(
        self, name: str, args: HostReleaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:HostRelease", name, None, opts)
        pushed = command.remote.Command(
            f"{name}-push",
            connection=command.remote.ConnectionArgs(
                host=args.address,
                user=LOGIN_USER,
                private_key=args.deploy.private,
                host_key=args.host_public_key,
                dial_error_limit=DIAL_ERRORS,
                per_dial_timeout=DIAL_TIMEOUT,
            ),
            create=push_command(args.time_limit),
            stdin=args.push_input,
            add_previous_output_in_env=False,
            logging=command.remote.Logging.STDERR,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.ready)),
        )
        self.command = pushed
        # The report has no secret, but the command's outputs are secret because its input is.
        self.release_id = pulumi.Output.unsecret(
            pushed.stdout.apply(lambda text: parse_report(text).release_id)
        )
        self.register_outputs({"release_id": self.release_id})
