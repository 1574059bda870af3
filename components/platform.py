"""The whole platform of one environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pulumi

from components.account_checks import AccountChecks
from components.alarms import Alarms, AlarmsArgs
from components.certificate import Certificate, CertificateArgs
from components.credentials import Credentials, CredentialsArgs, Given
from components.firewall import Firewall, FirewallArgs, rules
from components.host import Host, HostArgs, Identity, VolumeArgs
from components.host_release import HostRelease, HostReleaseArgs
from components.injection import Injection, InjectionArgs, Node
from components.log_archive import LogArchive, LogArchiveArgs
from components.mail_dns import MailDns, MailDnsArgs
from components.mta_host import MtaHost
from components.network import Network, NetworkArgs
from components.proxy_host import ProxyHost
from components.releases import ReleaseInputs, push_inputs
from components.reverse_dns import retry_hook
from components.shared_limits import SharedLimits, SharedLimitsArgs
from components.tagging import common_tags
from components.zones import Zone
from policy.dns import plan
from policy.settings import Settings
from policy.settings.hosts import Host as HostSettings
from policy.settings.hosts import ProxyHost as ProxySettings
from policy.settings.private_addresses import PrivateAddresses, private_addresses
from policy.settings.ubuntu import image_parameter


@dataclass(frozen=True, kw_only=True)
class MailPlatformArgs:
    """Inputs of the platform: checked settings, and the secrets that were set."""

    settings: Settings
    given: Given
    zones: Mapping[str, Zone]
    """Every zone of the settings, by name."""


class MailPlatform(pulumi.ComponentResource):
    """PING8's mail platform.

    Creates:
    - `Network`, `Firewall`, `Credentials`
    - an `MtaHost` for each MTA host, and a `ProxyHost` for each proxy host
    - `Injection`, the name that leads to the MTA hosts
    - `SharedLimits`, for several MTA hosts
    - `Certificate`, when it comes by ACME
    - `MailDns`
    - a `HostRelease` for each host
    - `Alarms`, and a `LogArchive`, where the settings ask for them
    """

    credentials: Credentials
    hosts: Mapping[str, Host]
    """Hosts by name: the MTA hosts and the proxy hosts."""
    releases: Mapping[str, HostRelease]
    addresses: Mapping[str, pulumi.Output[str]]
    """Public address of each egress source, and of each MTA host."""
    injection: Injection
    private: PrivateAddresses
    limits: pulumi.Output[str] | None
    """The name of the server of the shared limits."""
    alarm_topic: pulumi.Output[str] | None = None
    """The topic of the alarms, where it is ours and operators are subscribed."""

    def __init__(
        self, name: str, args: MailPlatformArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:MailPlatform", name, None, opts)
        self._name = name
        self._settings = settings = args.settings
        self._tags = common_tags(settings)
        self._child = pulumi.ResourceOptions(parent=self)
        self.private = private_addresses(settings)
        self._zone = args.zones[settings.zone]
        self._checks = AccountChecks(name, settings, self)
        self._network = self._subnets()
        self._firewall = Firewall(
            f"{name}-firewall",
            FirewallArgs(rules=rules(settings), vpc_id=self._network.vpc_id, tags=self._tags),
            self._child,
        )
        self.credentials = self._secrets(args.given)
        self.limits = self._shared_limits()
        self._host_names = plan.host_names(settings)
        nodes = {host: self._mta(host) for host in settings.mta.host_names}
        self.hosts = {**nodes, **{proxy.name: self._proxy(proxy) for proxy in settings.proxies}}
        self.addresses = {
            key: address for host in self.hosts.values() for key, address in host.addresses.items()
        }
        roles = {host: node.role_name for host, node in nodes.items()}
        self._certificate = self._acme(roles)
        self._publish(args.zones)
        self.releases = self._push()
        pushed = [release.command for release in self.releases.values()]
        hook = retry_hook(name)
        for host in self.hosts.values():
            for address in host.public:
                address.set_reverse(hook, pushed)
        self.injection = self._injection(nodes, pushed)
        self._watch(roles, pushed)
        self.register_outputs({})

    def _subnets(self) -> Network:
        settings = self._settings
        types = dict.fromkeys(host.instance_type for host in (settings.mta, *settings.proxies))
        args = NetworkArgs(network=settings.network, instance_types=tuple(types), tags=self._tags)
        return Network(f"{self._name}-network", args, self._child)

    def _secrets(self, given: Given) -> Credentials:
        settings = self._settings
        return Credentials(
            f"{self._name}-credentials",
            CredentialsArgs(
                given=given,
                dkim=settings.dkim_keys(),
                hosts=tuple(settings.roles),
                tokens=settings.tokens,
                proxy_password=any(proxy.authentication for proxy in settings.proxies),
                limits_password=settings.mta.nodes > 1,
                tags=self._tags,
            ),
            self._child,
        )

    def _publish(self, zones: Mapping[str, Zone]) -> None:
        settings = self._settings
        MailDns(
            f"{self._name}-dns",
            MailDnsArgs(
                records=plan.made_records(settings),
                zones=zones,
                addresses=self.addresses,
                keys={which: key.public for which, key in self.credentials.dkim.items()},
                signing=frozenset(
                    (owner, selector)
                    for owner, dkim in settings.dkim_keys().items()
                    for selector, _ in dkim.signing()
                ),
                adopted=frozenset(settings.adopt_records),
                checks=self._checks,
            ),
            self._child,
        )

    def _shared_limits(self) -> pulumi.Output[str] | None:
        password, settings = self.credentials.limits_password, self._settings
        if password is None:
            return None
        return SharedLimits(
            f"{self._name}-limits",
            SharedLimitsArgs(
                label=f"ping8-{settings.environment}",
                node_type=settings.mta.limits_node_type,
                subnet_ids=self._network.subnet_ids,
                security_group_id=self._firewall.group_ids["limits"],
                password=password,
                tags=self._tags,
            ),
            self._child,
        ).address

    def _mta(self, host: str) -> MtaHost:
        mta = self._settings.mta
        identity = Identity(
            name=host,
            resource=f"{self._name}-address-{host}",
            private_address=self.private.mta[host],
            names=self._host_names[host],
            reverse=True,
            allocation_id=mta.allocation_ids.get(host),
        )
        volumes = (
            VolumeArgs(
                name="spool",
                gib=mta.spool_gib,
                iops=mta.spool_iops,
                throughput=mta.spool_throughput,
            ),
            VolumeArgs(name="logs", gib=mta.log_gib),
        )
        args = self._host_args(host, mta, mta.subnet_of(host), (identity,), volumes)
        args = replace(args, balanced=mta.nodes > 1)
        return MtaHost(f"{self._name}-{host}", args, self._child)

    def _injection(
        self, nodes: Mapping[str, MtaHost], pushed: Sequence[pulumi.Resource]
    ) -> Injection:
        settings = self._settings
        return Injection(
            f"{self._name}-injection",
            InjectionArgs(
                host_name=settings.injection_host,
                zone=self._zone,
                nodes={
                    host: Node(private=self.private.mta[host], public=node.primary_address)
                    for host, node in nodes.items()
                },
                vpc_id=self._network.vpc_id,
                subnet_ids=self._network.subnet_ids,
                protect=settings.protect,
                tags=self._tags,
                adopted=frozenset(settings.adopt_records),
                checks=self._checks,
                routed=self._network.routed,
                pushed=pushed,
            ),
            self._child,
        )

    def _proxy(self, proxy: ProxySettings) -> ProxyHost:
        identities = tuple(
            Identity(
                name=source.name,
                resource=f"{self._name}-address-{source.name}",
                private_address=self.private.sources[source.name],
                names=self._host_names[source.name],
                reverse=True,
                allocation_id=source.allocation_id,
            )
            for source in self._settings.sources_of(proxy.name)
        )
        args = self._host_args(proxy.name, proxy, proxy.subnet, identities, ())
        return ProxyHost(f"{self._name}-{proxy.name}", args, self._child)

    def _host_args(
        self,
        name: str,
        host: HostSettings,
        subnet: int,
        identities: tuple[Identity, ...],
        volumes: tuple[VolumeArgs, ...],
    ) -> HostArgs:
        os = self._settings.os
        return HostArgs(
            identities=identities,
            volumes=volumes,
            instance_type=host.instance_type,
            ami=host.ami,
            newest_ami=image_parameter(os.release, host.processor, pro=os.pro),
            root_gib=host.root_gib,
            subnet_id=self._network.subnet_ids[subnet],
            zone=self._network.zones[subnet],
            security_group_id=self._firewall.group_ids[self._settings.roles[name]],
            dns_zone=self._zone,
            keys=self.credentials.host_keys[name],
            deploy_public_key=self.credentials.deploy.public,
            protect=self._settings.protect,
            tags=self._tags,
            routed=self._network.routed,
            allowed=self._firewall.rules,
            adopted=frozenset(self._settings.adopt_records),
            checks=self._checks,
        )

    def _acme(self, roles: Mapping[str, pulumi.Output[str]]) -> Certificate | None:
        if self._settings.certificate.kind != "acme":
            return None
        return Certificate(
            f"{self._name}-certificate",
            CertificateArgs(
                injection_host=self._settings.injection_host,
                own_names={host: self._settings.full_name(host) for host in roles},
                zone_arn=self._zone.arn,
                role_names=roles,
            ),
            self._child,
        )

    def _watch(
        self, roles: Mapping[str, pulumi.Output[str]], pushed: Sequence[pulumi.Resource]
    ) -> None:
        settings = self._settings
        if settings.alarms.enabled:
            ids = {name: host.instance_id for name, host in self.hosts.items()}
            args = AlarmsArgs(
                settings=settings,
                instance_ids=ids,
                pushed=pushed,
                role_names=roles,
                balancer=self.injection.watched,
                tags=self._tags,
            )
            self.alarm_topic = Alarms(f"{self._name}-alarms", args, self._child).subscribed
        if settings.logs.ship:
            archive = LogArchiveArgs(settings=settings, role_names=roles, tags=self._tags)
            LogArchive(f"{self._name}-logs", archive, self._child)

    def _push(self) -> dict[str, HostRelease]:
        inputs = push_inputs(
            ReleaseInputs(
                settings=self._settings,
                private=self.private,
                public=self.addresses,
                limits=self.limits,
                mta_secrets=self.credentials.mta_secrets,
                proxy_secrets=self.credentials.proxy_secrets,
                hosts=self.hosts,
            )
        )
        certificate = self._certificate.policies if self._certificate else ()
        pushed: dict[str, HostRelease] = {}
        # An MTA host's health check includes the proxies, so they come first; then one MTA host
        # after the other, so that a release that stops one of them reaches no other.
        for name, role in sorted(self._settings.roles.items(), key=lambda host: host[1] == "mta"):
            host = self.hosts[name]
            waits = (*(release.command for release in pushed.values()), *certificate)
            ready = (*host.ready, *waits) if role == "mta" else host.ready
            pushed[name] = self._release(name, host, inputs[name], ready)
        return pushed

    def _release(
        self,
        name: str,
        host: Host,
        push_input: pulumi.Output[str],
        ready: tuple[pulumi.Resource, ...],
    ) -> HostRelease:
        return HostRelease(
            f"{self._name}-release-{name}",
            HostReleaseArgs(
                address=host.primary_address,
                host_public_key=self.credentials.host_keys[name].public,
                deploy=self.credentials.deploy,
                push_input=push_input,
                time_limit=self._settings.push_time_limit,
                ready=ready,
            ),
            self._child,
        )
