"""Programs in the sandbox's network namespaces: a listener that says who called, and a caller."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.network import Cloud

_LISTEN = """
import socket, sys
servers = []
for port in map(int, sys.argv[1:]):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", port))
    server.listen()
    servers.append(server)
print("ready", flush=True)
import selectors
watch = selectors.DefaultSelector()
for server in servers:
    watch.register(server, selectors.EVENT_READ)
while True:
    for key, _ in watch.select():
        connection, peer = key.fileobj.accept()
        connection.sendall(peer[0].encode())
        connection.close()
"""
_CALL = """
import socket, sys
address, port, source = sys.argv[1:]
try:
    with socket.create_connection((address, int(port)), 1, (source, 0) if source else None) as call:
        print(call.recv(100).decode())
except TimeoutError:
    print("blocked")
except OSError as error:
    print(f"refused: {error}")
"""


@contextmanager
def listening(cloud: Cloud, namespace: str, *ports: int) -> Iterator[None]:
    """Answers on the ports of a namespace with the caller's address."""
    command = cloud.inside(namespace, sys.executable, "-c", _LISTEN, *map(str, ports))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.kill()


def call(cloud: Cloud, namespace: str, address: str, port: int, source: str = "") -> str:
    """The address under which the other side saw the call, or why there was none."""
    command = cloud.inside(namespace, sys.executable, "-c", _CALL, address, str(port), source)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
