"""A proxy host: KumoProxy with one private address for each of its egress sources."""

from pathlib import Path

from policy.addresses import Addresses
from policy.release import Check, Release, ReleaseFile
from policy.render import system
from policy.render.environment import proxy_environment
from policy.render.metrics import TIMER, metrics_files
from policy.render.templates import template_file
from policy.secrets import ProxySecrets
from policy.settings import Settings
from policy.settings.base import named

_RESTART = ("restart kumoproxy.service",)
_POLICY = Path(__file__).parents[1] / "kumoproxy" / "init.lua"
_SYSTEM = "/etc/systemd/system"


def render_proxy(
    settings: Settings, proxy_name: str, addresses: Addresses, secrets: ProxySecrets
) -> Release:
    """The complete release of the proxy host of that name."""
    proxy = named(settings.proxies, proxy_name)
    listens = f"{addresses.proxies[proxy_name].private}:{proxy.port}"
    return Release(
        host=proxy_name,
        role="proxy",
        digest_key=secrets.digest_key,
        files=(
            ReleaseFile(
                path="/opt/kumomta/etc/proxy/init.lua",
                content=_POLICY.read_bytes(),
                effects=_RESTART,
            ),
            proxy_environment(settings, proxy_name, addresses, secrets),
            template_file("proxy", f"{_SYSTEM}/kumoproxy.service", effects=_RESTART),
            template_file(
                "proxy",
                "/usr/local/lib/ping8/drain-proxy",
                mode=0o755,
                values={"port": proxy.port},
            ),
            *_address_files(settings, proxy_name, addresses),
            *metrics_files(settings, "proxy", proxy_name, listens),
            *system.system_files(settings),
            *system.masked("kumomta.service", "kumo-tsa-daemon.service"),
        ),
        packages=tuple(sorted((*system.PACKAGES, "iproute2"))),
        users=("kumoproxy",),
        units=(
            system.FIREWALL,
            "ping8-addresses.timer",
            "kumoproxy.service",
            TIMER,
            system.FINISH_TIMER,
        ),
        checks=(Check(kind="socks5", target=listens),),
        kumomta_version=settings.kumomta.version,
        kumomta_preinstalled=settings.kumomta.preinstalled,
        source=system.package_source(settings, proxy.processor),
    )


def _address_files(
    settings: Settings, proxy_name: str, addresses: Addresses
) -> tuple[ReleaseFile, ...]:
    primary = addresses.proxies[proxy_name].private
    private = (addresses.sources[source.name].private for source in settings.sources_of(proxy_name))
    effects = ("restart ping8-addresses.service",)
    return (
        template_file(
            "proxy",
            "/etc/ping8/addresses",
            effects=effects,
            values={
                "primary": primary,
                "addresses": "\n".join(address for address in private if address != primary),
            },
        ),
        template_file("proxy", "/usr/local/lib/ping8/addresses", mode=0o755, effects=effects),
        template_file("proxy", f"{_SYSTEM}/ping8-addresses.service", effects=effects),
        template_file(
            "proxy",
            f"{_SYSTEM}/ping8-addresses.timer",
            effects=("restart ping8-addresses.timer",),
        ),
    )
