"""SOCKS5 (RFC 1928) as KumoMTA speaks it: BIND names the source address, CONNECT uses it."""

import ipaddress
import socket
import struct

VERSION = 5
NO_AUTH, USER_PASSWORD, NO_METHOD = 0, 2, 0xFF
CONNECT, BIND = 1, 2
IPV4, DOMAIN, IPV6 = 1, 3, 4
REPLIES = {
    0: "succeeded",
    1: "general SOCKS server failure",
    2: "connection not allowed by ruleset",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}


class SocksError(Exception):
    """The proxy refused."""


def read_exactly(stream: socket.socket, count: int) -> bytes:
    """So many bytes, or an error."""
    data = b""
    while len(data) < count:
        chunk = stream.recv(count - len(data))
        if not chunk:
            raise SocksError("the proxy closed the connection")
        data += chunk
    return data


def encode_address(host: str, port: int) -> bytes:
    address = ipaddress.ip_address(host)
    kind = IPV4 if address.version == 4 else IPV6
    return bytes([kind]) + address.packed + struct.pack("!H", port)


def read_address(stream: socket.socket) -> tuple[str, int]:
    (kind,) = read_exactly(stream, 1)
    if kind == DOMAIN:
        (length,) = read_exactly(stream, 1)
        host = read_exactly(stream, length).decode("ascii", "replace")
    elif kind in (IPV4, IPV6):
        host = str(ipaddress.ip_address(read_exactly(stream, 4 if kind == IPV4 else 16)))
    else:
        raise SocksError(f"address type {kind}")
    (port,) = struct.unpack("!H", read_exactly(stream, 2))
    return host, port


def open_through(
    stream: socket.socket,
    target: tuple[str, int],
    *,
    source: str | None,
    credentials: tuple[str, str] | None,
) -> tuple[str, int]:
    """Connect through a proxy that ``stream`` is connected to; the address that it used."""
    methods = [NO_AUTH, *([USER_PASSWORD] if credentials else [])]
    stream.sendall(bytes([VERSION, len(methods), *methods]))
    version, chosen = read_exactly(stream, 2)
    if version != VERSION or chosen not in methods:
        raise SocksError("no acceptable authentication method")
    if credentials and chosen == USER_PASSWORD:
        _log_in(stream, credentials)
    bound = None
    if source is not None:
        bound = _request(stream, BIND, (source, 0), f"bind {source}")
    used = _request(stream, CONNECT, target, f"connect to {target[0]}:{target[1]}")
    return used if used[1] or bound is None else bound


def _log_in(stream: socket.socket, credentials: tuple[str, str]) -> None:
    user, password = (text.encode() for text in credentials)
    stream.sendall(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
    _, status = read_exactly(stream, 2)
    if status != 0:
        raise SocksError("authentication failed")


def _request(
    stream: socket.socket, command: int, address: tuple[str, int], what: str
) -> tuple[str, int]:
    stream.sendall(bytes([VERSION, command, 0]) + encode_address(*address))
    _, status, _ = read_exactly(stream, 3)
    answer = read_address(stream)
    if status != 0:
        raise SocksError(f"{what}: {REPLIES.get(status, f'status {status}')}")
    return answer
