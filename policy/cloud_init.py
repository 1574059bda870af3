"""User data of a host: who may log in, and the SSH host key, nothing else.

Cloud-init reads it once, at a host's first boot, and a change replaces the host: so it holds only
what is needed before the first push, and nothing that changes in daily work.
"""

from dataclasses import dataclass, field

import yaml

LOGIN_USER = "ping8"
"""Who Pulumi and operators log in as; `sudo` without a password."""

OPERATORS_KEYS = "/etc/ping8/authorized_keys"
"""Operators' public keys: a file of every release, so that a change replaces no host."""

SSHD_FILE = "/etc/ssh/sshd_config.d/10-ping8.conf"
_SSHD = f"""\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys {OPERATORS_KEYS}
"""


@dataclass(frozen=True, kw_only=True)
class HostLogin:
    """The keys with which a host and its deployer recognize each other, in OpenSSH's formats."""

    deploy_public_key: str
    host_public_key: str
    host_private_key: str = field(repr=False)


def user_data(login: HostLogin) -> str:
    """Cloud-config for a host; secret, for it holds the host's private SSH key."""
    document: dict[str, object] = {
        "users": [
            {
                "name": LOGIN_USER,
                "gecos": "PING8 deployment and operators",
                "shell": "/bin/bash",
                "lock_passwd": True,
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": [login.deploy_public_key.strip()],
            }
        ],
        "disable_root": True,
        "ssh_pwauth": False,
        "ssh_deletekeys": True,
        "ssh_keys": {
            "ed25519_private": f"{login.host_private_key.strip()}\n",
            "ed25519_public": login.host_public_key.strip(),
        },
        "write_files": [{"path": SSHD_FILE, "content": _SSHD}],
        "package_update": False,
        "package_upgrade": False,
    }
    return f"#cloud-config\n{yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000)}"


class _Dumper(yaml.SafeDumper):
    """Writes keys as blocks, so that the user data stays readable."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
