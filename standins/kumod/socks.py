"""SOCKS5 (RFC 1928) as KumoMTA speaks it: BIND names the source address, CONNECT uses it.

IPv4 only.
"""

import ipaddress
import socket
import struct

from standins.kumod.data import load

VERSION = 5
NO_AUTH, USER_PASSWORD, NO_METHOD = 0, 2, 0xFF
CONNECT, BIND = 1, 2
_IPV4 = 1
FAILED, TTL_EXPIRED, NOT_SUPPORTED = 1, 6, 7
_REPLIES = load("socks")["replies"]
Address = tuple[str, int]


class SocksError(Exception):
    """The answer to a request has this status, which is not success."""

    def __init__(self, status: int = FAILED, text: str = "") -> None:
        super().__init__(text or _REPLIES.get(str(status), f"status {status}"))
        self.status = status


def read_exactly(stream: socket.socket, count: int) -> bytes:
    data = stream.recv(count, socket.MSG_WAITALL)
    if len(data) < count:
        raise ConnectionError("the other side closed the connection")
    return data


def send_message(stream: socket.socket, code: int, address: Address = ("0.0.0.0", 0)) -> None:  # noqa: S104 - no address
    """A request with its command, or an answer with its status."""
    packed = ipaddress.IPv4Address(address[0]).packed
    stream.sendall(bytes([VERSION, code, 0, _IPV4]) + packed + struct.pack("!H", address[1]))


def read_message(stream: socket.socket) -> tuple[int, Address]:
    """The command or status, and the address."""
    version, code, _, kind = read_exactly(stream, 4)
    if version != VERSION:
        raise OSError("not SOCKS5")
    if kind != _IPV4:
        raise SocksError(FAILED, f"address type {kind}")
    host, port = struct.unpack("!4sH", read_exactly(stream, 6))
    return code, (str(ipaddress.IPv4Address(host)), port)


def open_through(
    stream: socket.socket,
    target: Address,
    *,
    source: str | None,
    credentials: tuple[str, str] | None,
) -> Address:
    """Connect through a proxy that ``stream`` is connected to; returns the address it used."""
    methods = [NO_AUTH, *([USER_PASSWORD] if credentials else [])]
    stream.sendall(bytes([VERSION, len(methods), *methods]))
    version, chosen = read_exactly(stream, 2)
    if version != VERSION or chosen not in methods:
        raise SocksError(FAILED, "no acceptable authentication method")
    if credentials and chosen == USER_PASSWORD:
        user, password = (text.encode() for text in credentials)
        stream.sendall(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        if read_exactly(stream, 2)[1] != 0:
            raise SocksError(FAILED, "authentication failed")
    bound = _request(stream, BIND, (source, 0), f"bind {source}") if source else None
    used = _request(stream, CONNECT, target, f"connect to {target[0]}:{target[1]}")
    return used if used[1] or bound is None else bound


def _request(stream: socket.socket, command: int, address: Address, what: str) -> Address:
    send_message(stream, command, address)
    status, used = read_message(stream)
    if status != 0:
        raise SocksError(status, f"{what}: {SocksError(status)}")
    return used
