"""Whether checks fail because of this machine: canaries for DNS, TCP and SSH.

Each runs at most once, and only after something failed.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from checkdmarc.utils import get_base_domain

from ops.doctor import https
from ops.doctor.answers import Once
from ops.doctor.resolver import LookupFailed, Resolver
from ops.ssh import CONFIG
from ops.stack import Deployment
from policy.errors import UserError

SSH, HTTPS = 22, 443
NO_DNS = "this machine's DNS servers do not answer, or refuse queries"
NO_TCP = "this machine's network allows no TCP connections, to hosts or elsewhere"
NO_SSH = "no host answers on port 22 from this machine"
FIXES = {
    NO_DNS: "use another: --resolver ADDRESS; to test one: dig @ADDRESS NS .",
    NO_TCP: "check its routes, VPN and firewall, or run the doctor on another machine",
    NO_SSH: "check that its network allows outbound port 22, and that its public address is in "
    "operators.cidrs",
}


class Reach:
    """What this machine reaches of a deployment."""

    def __init__(self, deployment: Deployment, resolver: Resolver) -> None:
        self._deployment = deployment
        self._resolver = resolver
        self._once = Once()

    def cause(self, error: Exception) -> str:
        """Why a check could not run; the text is the same for all with the same root cause."""
        if isinstance(error, LookupFailed):
            if not self._once("dns", self._resolver.answers):
                return NO_DNS
            return f"DNS of {get_base_domain(error.name)}: {error.reason}"
        if not isinstance(error, https.Unreachable | UserError):
            return ""
        if not self._once("tcp", self._tcp):
            return NO_TCP
        direct = isinstance(error, UserError) and not os.environ.get(CONFIG)
        return NO_SSH if direct and not self._once("ssh", self._ssh) else str(error)

    def _ssh(self) -> bool:
        return _any_answers((host.address, SSH) for host in self._deployment.hosts.values())

    def _tcp(self) -> bool:
        """Hosts, PING8, and AWS: all three are never down at once."""
        if self._once("ssh", self._ssh):
            return True
        url = urlsplit(str(self._deployment.settings.webhook.url))
        aws = f"ec2.{self._deployment.settings.region}.amazonaws.com"
        elsewhere = ((url.hostname or "", url.port or HTTPS), (aws, HTTPS))
        found = [(address, port) for name, port in elsewhere for address in self._addresses(name)]
        hosts = [(host.address, HTTPS) for host in self._deployment.mta_hosts]
        return _any_answers([*hosts, *found])

    def _addresses(self, name: str) -> list[str]:
        try:
            return self._resolver.addresses(name)
        except LookupFailed:
            return []


def _any_answers(places: Iterable[tuple[str, int]]) -> bool:
    with ThreadPoolExecutor() as pool:
        return any(pool.map(lambda place: https.port(*place) is not https.Port.SILENT, places))
