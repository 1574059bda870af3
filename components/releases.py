"""Turns settings, addresses and secrets into what is pushed to each host."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.host import Host
from policy.addresses import Address, Addresses
from policy.push import bundle_of, push_input
from policy.release import HostFacts, Release
from policy.render import render_mta, render_proxy
from policy.secrets import MtaSecrets, ProxySecrets
from policy.settings import Settings
from policy.settings.private_addresses import PrivateAddresses


@dataclass(frozen=True, kw_only=True)
class ReleaseInputs:
    """Everything that releases are rendered from."""

    settings: Settings
    private: PrivateAddresses
    public: Mapping[str, pulumi.Output[str]]
    limits: pulumi.Output[str] | None
    """The name of the server of the shared limits, for several MTA hosts."""
    mta_secrets: pulumi.Output[MtaSecrets]
    proxy_secrets: pulumi.Output[ProxySecrets]
    hosts: Mapping[str, Host]


def push_inputs(inputs: ReleaseInputs) -> dict[str, pulumi.Output[str]]:
    """The standard input of each host's push, by host; secret.

    It includes the instance's id, so that a replaced instance gets a push.
    """
    public = pulumi.Output.all(**inputs.public)
    addresses = pulumi.Output.all(public=public, limits=inputs.limits).apply(
        lambda known: known_addresses(inputs.settings, inputs.private, **known)
    )
    return {name: _push_input(inputs, name, addresses) for name in inputs.hosts}


def known_addresses(
    settings: Settings, private: PrivateAddresses, public: Mapping[str, str], limits: str | None
) -> Addresses:
    """Addresses as plain data for `policy`."""
    sources = {
        source.name: Address(private=private.sources[source.name], public=public[source.name])
        for source in settings.sources
    }
    return Addresses(
        mta={
            host: Address(private=private.mta[host], public=public[host])
            for host in settings.mta.host_names
        },
        proxies={
            proxy.name: sources[settings.sources_of(proxy.name)[0].name]
            for proxy in settings.proxies
        },
        sources=sources,
        limits=limits,
    )


def _push_input(
    inputs: ReleaseInputs, name: str, addresses: pulumi.Output[Addresses]
) -> pulumi.Output[str]:
    host = inputs.hosts[name]

    def render(values: Mapping[str, Any]) -> str:
        facts = HostFacts(
            name=name,
            instance_id=values["instance_id"],
            volumes=tuple(sorted(values["volumes"].items())),
            sizes=tuple(sorted((key, int(gib)) for key, gib in values["sizes"].items())),
        )
        release = _release(inputs.settings, name, values["addresses"], values["secrets"])
        always = inputs.settings.push == "always"
        run = uuid.uuid4().hex if always else ""
        return push_input(bundle_of(release, facts, always=always, run=run))

    return pulumi.Output.secret(
        pulumi.Output.all(
            addresses=addresses,
            secrets=inputs.mta_secrets
            if inputs.settings.roles[name] == "mta"
            else inputs.proxy_secrets,
            instance_id=host.instance_id,
            volumes=dict(host.volume_ids),
            sizes=dict(host.volume_sizes),
        ).apply(render)
    )


def _release(settings: Settings, name: str, addresses: Addresses, secrets: ProxySecrets) -> Release:
    if isinstance(secrets, MtaSecrets):
        return render_mta(settings, name, addresses, secrets)
    return render_proxy(settings, name, addresses, secrets)
