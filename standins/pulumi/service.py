"""All providers and the AWS behind them, served by one process."""

from collections.abc import Callable
from typing import Any

from standins.pulumi import command, metadata, randomness, tls
from standins.pulumi.aws import moto_gaps
from standins.pulumi.aws.account import Account
from standins.pulumi.aws.moto_server import MotoServer
from standins.pulumi.aws.provider import provider as aws_provider
from standins.pulumi.aws.world import World
from standins.pulumi.endpoints import Endpoints
from standins.pulumi.hosts import Hosts
from standins.pulumi.schema import resource_schema
from standins.pulumi.server import serve

ELASTIC_RANGE = "203.0.113.0/24"


class Service:
    """The running providers; their state ends with them."""

    def __init__(
        self,
        make_hosts: Callable[[int], Hosts],
        *,
        metadata_address: str = "127.0.0.1",
        elastic_range: str = ELASTIC_RANGE,
    ) -> None:
        """`make_hosts` is told the metadata service's port, to which hosts are led."""
        moto_gaps.use_range(elastic_range)
        self.moto = MotoServer()
        moto_port = self.moto.listen("127.0.0.1")
        self.account = Account(f"http://127.0.0.1:{moto_port}")
        self.metadata = metadata.MetadataServer(self.account)
        metadata_port = self.metadata.listen(metadata_address)
        self.world = World(self.account, make_hosts(metadata_port))
        self.moto.on_dns_change = self.world.publish_dns
        providers = {
            "aws": aws_provider(self.world),
            "command": command.provider(),
            "tls": tls.provider(),
            "random": randomness.provider(),
        }
        # The SDK's modules load when they are first used; two threads at once would spoil them.
        for provider in providers.values():
            for kind in provider.resources:
                resource_schema(kind)
        self._servers: list[Any] = []
        ports = {}
        for name, provider in providers.items():
            server, ports[name] = serve(provider)
            self._servers.append(server)
        self.endpoints = Endpoints(**ports, moto=moto_port, metadata=metadata_port)

    def stop(self) -> None:
        """Ends every server."""
        for server in self._servers:
            server.stop(grace=None).wait()
        self.metadata.stop()
        self.moto.stop()
