"""The release of a host, pushed over one SSH connection."""

from dataclasses import dataclass

import pulumi
import pulumi_command as command

from components.credentials import KeyPair
from policy.cloud_init import LOGIN_USER
from policy.push import parse_report, push_command

DIAL_TIMEOUT = 10
DIAL_ERRORS = 40
"""Tries come 5 seconds apart in the end: patience for 3 minutes with a host that boots, and for 9
with one that does not answer at all."""


@dataclass(frozen=True, kw_only=True)
class HostReleaseArgs:
    """What is pushed, and where. `push_input` is secret: it holds every file of the host."""

    address: pulumi.Input[str]
    host_public_key: pulumi.Input[str]
    deploy: KeyPair
    push_input: pulumi.Output[str]
    time_limit: str
    ready: tuple[pulumi.Resource, ...]
    """What must exist before the host can take it."""


class HostRelease(pulumi.ComponentResource):
    """A host's files, wholly of one release.

    Creates:
    - one remote command that hands the release over standard input; another input pushes again
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
        # The report holds no secret, but the command marks all its outputs as its input is marked.
        self.release_id = pulumi.Output.unsecret(
            pushed.stdout.apply(lambda text: parse_report(text).release_id)
        )
        self.register_outputs({"release_id": self.release_id})
