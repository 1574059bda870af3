"""The common part of MTA and proxy hosts: interface, addresses, instance, volumes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.account_checks import AccountChecks
from components.credentials import KeyPair
from components.instance_profile import InstanceProfile, InstanceProfileArgs
from components.public_address import PublicAddress, PublicAddressArgs
from components.tagging import named
from components.zones import Zone
from policy.cloud_init import HostLogin, user_data

_DEVICES = tuple(f"/dev/sd{letter}" for letter in "fghijklmnop")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One private address of a host, with the names that its Elastic IP gets.

    `resource` names its resources. It does not include the host, so that a source that moves to
    another proxy host keeps its Elastic IP.
    """

    name: str
    resource: str
    private_address: str
    names: tuple[str, ...]
    reverse: bool
    allocation_id: str | None


@dataclass(frozen=True, kw_only=True)
class VolumeArgs:
    """A volume that survives its instance. `name` is also its name in a release."""

    name: str
    gib: int
    iops: int = 3000
    throughput: int = 125


@dataclass(frozen=True, kw_only=True)
class HostArgs:
    """Inputs of a host. The first identity is the interface's primary address."""

    identities: tuple[Identity, ...]
    volumes: tuple[VolumeArgs, ...]
    instance_type: str
    ami: str | None
    newest_ami: str
    """The public parameter that names Canonical's newest image."""
    root_gib: int
    subnet_id: pulumi.Input[str]
    zone: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    dns_zone: Zone
    keys: KeyPair
    deploy_public_key: pulumi.Input[str]
    protect: bool
    tags: Mapping[str, str]
    routed: Sequence[pulumi.Resource]
    """The route to the internet."""
    allowed: Sequence[pulumi.Resource]
    """The firewall's rules: a host that boots before them could not download its packages."""
    adopted: frozenset[str]
    checks: AccountChecks
    balanced: bool = False
    """Whether a balancer chooses this host."""


class Host(pulumi.ComponentResource):
    """A host whose addresses and volumes survive its instance.

    Creates:
    - a network interface with the private addresses, and a `PublicAddress` for each of them
    - an instance profile
    - an instance: IMDSv2, encrypted root volume, user data that only a replacement changes
    - encrypted gp3 volumes with their attachments
    """

    public: tuple[PublicAddress, ...]
    addresses: Mapping[str, pulumi.Output[str]]
    """Public address by identity."""
    primary_address: pulumi.Output[str]
    """Public address of the first identity, where operators and Pulumi log in."""
    instance_id: pulumi.Output[str]
    volume_ids: Mapping[str, pulumi.Output[str]]
    volume_sizes: Mapping[str, pulumi.Output[int]]
    """Size in GiB, known once the volume has it."""
    role_name: pulumi.Output[str]
    ready: tuple[pulumi.Resource, ...]
    """What must exist before a release is pushed."""

    def __init__(
        self, kind: str, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(f"ping8:mail:{kind}", name, None, opts)
        interface = aws.ec2.NetworkInterface(
            f"{name}-interface",
            description=f"{name}: outlives its instances",
            subnet_id=args.subnet_id,
            private_ip_list_enabled=True,
            private_ip_lists=[identity.private_address for identity in args.identities],
            security_groups=[args.security_group_id],
            tags=named(args.tags, name),
            opts=pulumi.ResourceOptions(parent=self),
        )
        public = {
            identity.name: self._public(identity, interface.id, args)
            for identity in args.identities
        }
        profile = InstanceProfile(
            name,
            InstanceProfileArgs(tags=args.tags, balanced=args.balanced),
            pulumi.ResourceOptions(parent=self),
        )
        associations = [address.association for address in public.values()]
        instance = self._instance(name, interface.id, profile, associations, args)
        volumes = {volume.name: self._volume(name, volume, args) for volume in args.volumes}
        attachments = [
            self._attachment(name, key, volume, device, instance)
            for (key, volume), device in zip(volumes.items(), _DEVICES[: len(volumes)], strict=True)
        ]
        self.public = tuple(public.values())
        self.addresses = {key: address.public_ip for key, address in public.items()}
        self.primary_address = self.addresses[args.identities[0].name]
        self.instance_id = instance.id
        self.volume_ids = {key: volume.id for key, volume in volumes.items()}
        self.volume_sizes = {key: volume.size for key, volume in volumes.items()}
        self.role_name = profile.role_name
        self.ready = (instance, *associations, *attachments)
        self.register_outputs({"instance_id": self.instance_id, "addresses": dict(self.addresses)})

    def _public(
        self, identity: Identity, interface_id: pulumi.Input[str], args: HostArgs
    ) -> PublicAddress:
        all_private = tuple(each.private_address for each in args.identities)
        return PublicAddress(
            identity.resource,
            PublicAddressArgs(
                network_interface_id=interface_id,
                private_address=identity.private_address,
                names=identity.names,
                reverse=identity.reverse,
                zone=args.dns_zone,
                allocation_id=identity.allocation_id,
                protect=args.protect,
                tags=args.tags,
                routed=args.routed,
                adopted=args.adopted,
                checks=args.checks,
                shares=() if identity is args.identities[0] else all_private,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _instance(
        self,
        name: str,
        interface_id: pulumi.Input[str],
        profile: InstanceProfile,
        associations: Sequence[pulumi.Resource],
        args: HostArgs,
    ) -> aws.ec2.Instance:
        return aws.ec2.Instance(
            f"{name}-instance",
            ami=args.ami or self._newest_ami(args.newest_ami),
            instance_type=args.checks.before_instance(args.instance_type),
            primary_network_interface={"network_interface_id": interface_id},
            iam_instance_profile=profile.name,
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": 1,
            },
            root_block_device={
                "volume_type": "gp3",
                "volume_size": args.root_gib,
                "encrypted": True,
                "delete_on_termination": True,
                "tags": named(args.tags, f"{name}-root"),
            },
            user_data=_user_data(args),
            user_data_replace_on_change=True,
            disable_api_termination=args.protect,
            tags=named(args.tags, name),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                # Two instances cannot share an interface and a spool.
                delete_before_replace=True,
                ignore_changes=None if args.ami else ["ami"],
                depends_on=[*args.routed, *args.allowed, *associations],
                hooks=args.checks.instance,
            ),
        )

    def _newest_ami(self, parameter: str) -> pulumi.Output[str]:
        return aws.ssm.get_parameter_output(
            name=parameter,
            opts=pulumi.InvokeOutputOptions(parent=self),
        ).insecure_value

    def _volume(self, name: str, volume: VolumeArgs, args: HostArgs) -> aws.ebs.Volume:
        return aws.ebs.Volume(
            f"{name}-{volume.name}",
            availability_zone=args.zone,
            type="gp3",
            size=volume.gib,
            iops=volume.iops,
            throughput=volume.throughput,
            encrypted=True,
            tags=named(args.tags, f"{name}-{volume.name}"),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, retain_on_delete=args.protect
            ),
        )

    def _attachment(
        self,
        name: str,
        key: str,
        volume: aws.ebs.Volume,
        device: str,
        instance: aws.ec2.Instance,
    ) -> aws.ec2.VolumeAttachment:
        return aws.ec2.VolumeAttachment(
            f"{name}-{key}-attachment",
            instance_id=instance.id,
            volume_id=volume.id,
            device_name=device,
            stop_instance_before_detaching=True,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )


def _user_data(args: HostArgs) -> pulumi.Output[str]:
    def render(deploy: str, host_public: str, host_private: str) -> str:
        login = HostLogin(
            deploy_public_key=deploy, host_public_key=host_public, host_private_key=host_private
        )
        return user_data(login)

    inputs = pulumi.Output.all(args.deploy_public_key, args.keys.public, args.keys.private)
    return pulumi.Output.secret(inputs.apply(lambda values: render(*values)))
