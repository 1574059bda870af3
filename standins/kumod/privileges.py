"""Drops root's rights except for low ports, as kumod does with --user."""

import ctypes
import ctypes.util
import os
import pwd
import struct

_PR_SET_KEEPCAPS = 8
_CAP_NET_BIND_SERVICE = 10
_CAPABILITY_VERSION_3 = 0x20080522


class PrivilegeError(Exception):
    """--user does not fit who we are."""


def drop_to(user: str | None) -> None:
    """Become the user. Must run before any thread is started."""
    if os.geteuid() != 0:
        _must_be(user)
        return
    if user is None:
        raise PrivilegeError("When running as root, you must set --user to the user to run as")
    entry = _entry(user)
    if entry.pw_uid == 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    _keep_low_ports(libc)


def _keep_low_ports(libc: ctypes.CDLL) -> None:
    """If the unit removed the capability, binding a low port simply fails."""
    mask = 1 << _CAP_NET_BIND_SERVICE
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION_3, 0))
    data = ctypes.create_string_buffer(struct.pack("6I", mask, mask, 0, 0, 0, 0))
    libc.capset(header, data)


def _must_be(user: str | None) -> None:
    if user is not None and _entry(user).pw_uid != os.geteuid():
        raise PrivilegeError(
            f"--user '{user}' resolves to uid {_entry(user).pw_uid} which doesn't match your "
            f"uid {os.geteuid()}, and you are not root"
        )


def _entry(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise PrivilegeError(f"Invalid user {user}") from None
