"""The hosts' own packet rules, loaded by the real nft in a network of their own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from policy.limits import SMTP_SESSIONS, SMTP_SESSIONS_PER_MINUTE
from policy.release import Release
from tests.examples import SMALL, mta_of, proxy_of, text_of

RULES = "/etc/ping8/nftables"
UNIT = "/etc/systemd/system/ping8-firewall.service"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"),
    reason="needs root, nft and ip",
)

METADATA = """
import os, socket
server = socket.create_server(("169.254.169.254", 80))
def call():
    try:
        socket.create_connection(("169.254.169.254", 80)).close()
        return "open"
    except OSError as error:
        return type(error).__name__
print(call())
os.setresuid(65534, 65534, 65534)
print(call())
"""
SMTP = """
import socket, sys
server = ("10.9.0.1", 25)
def call():
    try:
        return socket.create_connection(server)
    except ConnectionError:
        return None
held = [call() for _ in range({sessions} + 5)]
print(sum(session is not None for session in held))
for session in held:
    if session:
        session.close()
more = [call() for _ in range({per_minute})]
for session in more:
    if session:
        session.close()
print(any(session is None for session in more))
"""
LISTENER = """
import socket
server = socket.create_server(("10.9.0.1", 25), backlog=4096)
print("listens", flush=True)
while True:
    server.accept()[0].close()
"""


def played(script: str, tmp_path: Path) -> list[str]:
    for path in (file.path for file in mta_of(SMALL).files if file.path.startswith(RULES)):
        (tmp_path / Path(path).name).write_text(text_of(mta_of(SMALL), path))
    prepared = f"set -eu; nft 'include \"{tmp_path}/*.nft\"'; ip link set lo up\n"
    result = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", prepared + script],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return result.stdout.split()


def test_only_root_reaches_the_metadata_address(tmp_path: Path) -> None:
    (tmp_path / "call.py").write_text(METADATA)
    script = f"ip address add 169.254.169.254/32 dev lo; python3 {tmp_path}/call.py"
    assert played(script, tmp_path) == ["open", "ConnectionRefusedError"]


def test_one_peer_of_port_25_holds_and_opens_only_so_many_sessions(tmp_path: Path) -> None:
    (tmp_path / "listener.py").write_text(LISTENER)
    (tmp_path / "call.py").write_text(
        SMTP.format(sessions=SMTP_SESSIONS, per_minute=SMTP_SESSIONS_PER_MINUTE)
    )
    script = f"""
        mount -t tmpfs none /run
        ip netns add peer
        ip link add near type veth peer name far netns peer
        ip address add 10.9.0.1/24 dev near; ip link set near up
        ip -n peer address add 10.9.0.2/24 dev far; ip -n peer link set far up
        mkfifo {tmp_path}/ready
        python3 {tmp_path}/listener.py > {tmp_path}/ready & listener=$!
        read -r _ < {tmp_path}/ready
        ip netns exec peer python3 {tmp_path}/call.py
        kill $listener
    """
    assert played(script, tmp_path) == [str(SMTP_SESSIONS), "True"]


@pytest.mark.parametrize("release", [mta_of(SMALL), proxy_of(SMALL)], ids=["mta", "proxy"])
def test_the_rules_are_loaded_before_the_network_and_the_unit_must_be_active(
    release: Release,
) -> None:
    text = text_of(release, UNIT)
    assert f'include \\"{RULES}/*.nft\\"' in text
    assert "Before=network-pre.target" in text
    assert "ping8-firewall.service" in release.units
