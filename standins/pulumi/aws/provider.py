"""The aws provider: every kind that the program uses, over one account and one machine."""

from collections.abc import Mapping

from pulumi import _types
from pulumi_aws import ProviderArgs

from standins.pulumi.aws import machines, route53, vpc_services
from standins.pulumi.aws.functions import functions
from standins.pulumi.aws.kinds import kinds
from standins.pulumi.aws.resource import AwsResource
from standins.pulumi.aws.world import World
from standins.pulumi.server import Provider

VERSION = "7.51.1"

_ODD: Mapping[str, type[AwsResource]] = {
    "aws:ebs/volume:Volume": machines.Volume,
    "aws:ec2/instance:Instance": machines.Instance,
    "aws:ec2/networkInterface:NetworkInterface": machines.NetworkInterface,
    "aws:ec2/volumeAttachment:VolumeAttachment": machines.VolumeAttachment,
    "aws:elasticache/replicationGroup:ReplicationGroup": vpc_services.ReplicationGroup,
    "aws:lb/loadBalancer:LoadBalancer": vpc_services.LoadBalancer,
    "aws:route53/record:Record": route53.Record,
    "aws:s3/bucket:Bucket": machines.Bucket,
}
"""Kinds of which the table does not say everything."""


def provider(world: World) -> Provider:
    """The provider at the version that the program's SDK asks for."""
    return Provider(
        name="aws",
        version=VERSION,
        resources={token: _ODD.get(token, AwsResource)(world, token) for token in kinds()},
        functions=functions(world),
        # What `aws.Provider` and the `aws:` configuration accept.
        settings=frozenset(_types.input_type_types(ProviderArgs)),
    )
