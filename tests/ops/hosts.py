"""Hosts that a test's agent answers for."""

from ops.stack import HostAccess


def access(name: str = "mta", address: str = "198.18.0.1") -> HostAccess:
    """The MTA host by its name, and proxies by any other."""
    return HostAccess(
        name=name,
        role="mta" if name.startswith("mta") else "proxy",
        address=address,
        private_address="10.8.0.10",
        user="ping8",
        host_key="ssh-ed25519 AAAA",
        instance_id="i-0123456789abcdef0",
        release_id="0123456789abcdef",
    )
