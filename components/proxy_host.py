"""A host of KumoProxy."""

import pulumi

from components.host import Host, HostArgs


class ProxyHost(Host):
    """The host where mail leaves for its recipients.

    Creates:
    - all of `Host`, with one public address for each of its egress sources and no volumes
    """

    def __init__(
        self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ProxyHost", name, args, opts)
