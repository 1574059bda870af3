"""A host of KumoMTA and Nginx."""

import pulumi

from components.host import Host, HostArgs


class MtaHost(Host):
    """A host where PING8 injects and KumoMTA queues.

    Creates:
    - all of `Host`, with volumes for the spool and the logs
    """

    def __init__(
        self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("MtaHost", name, args, opts)
