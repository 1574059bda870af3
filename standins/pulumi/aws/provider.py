"""The aws provider: every type that the sandbox knows, over one account and one machine."""

from collections.abc import Callable

from pulumi import _types
from pulumi_aws import ProviderArgs

from standins.pulumi.aws import (
    addresses,
    alarms,
    firewall,
    iam,
    instances,
    interfaces,
    network,
    notices,
    route53,
    routes,
    secrets_manager,
    storage,
    volumes,
)
from standins.pulumi.aws.functions import functions
from standins.pulumi.aws.resource import AwsResource
from standins.pulumi.aws.world import World
from standins.pulumi.server import Provider

VERSION = "7.51.1"

_KINDS: list[Callable[[World], AwsResource]] = [
    *network.RESOURCES,
    *routes.RESOURCES,
    *firewall.RESOURCES,
    *interfaces.RESOURCES,
    *addresses.RESOURCES,
    *instances.RESOURCES,
    *volumes.RESOURCES,
    *route53.RESOURCES,
    *iam.RESOURCES,
    *secrets_manager.RESOURCES,
    *alarms.RESOURCES,
    *notices.RESOURCES,
    *storage.RESOURCES,
]


def provider(world: World) -> Provider:
    """The provider at the version that the program's SDK asks for."""
    resources = [kind(world) for kind in _KINDS]
    return Provider(
        name="aws",
        version=VERSION,
        resources={item.kind: item for item in resources},
        functions=functions(world),
        settings=_settings(),
    )


def _settings() -> frozenset[str]:
    """What `aws.Provider` and the `aws:` configuration accept."""
    return frozenset(_types.input_type_types(ProviderArgs))
