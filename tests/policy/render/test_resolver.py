"""The local resolver: which one it forwards to, and that a real unbound takes its configuration."""

import contextlib
import shlex
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rrset
import pytest

from tests.examples import SMALL, mta_of, text_of
from tests.policy.render.real_nginx import free_port
from tests.policy.render.scripts import run_script, write

RELEASE = mta_of(SMALL)
CONFIGURATION = "etc/unbound/unbound.conf.d/ping8.conf"


def resolver(root: Path, verb: str) -> None:
    write(root / "etc/ping8/unbound.conf", text_of(RELEASE, "/etc/ping8/unbound.conf"))
    result = run_script(RELEASE, "/usr/local/lib/ping8/resolver", root, verb)
    assert (result.returncode, result.stderr) == (0, "")


def forwards(root: Path) -> list[str]:
    lines = (root / CONFIGURATION).read_text().splitlines()
    return [line.split()[1] for line in lines if "forward-addr:" in line]


def test_it_forwards_to_the_resolver_that_the_network_gave(tmp_path: Path) -> None:
    write(tmp_path / "run/systemd/resolve/resolv.conf", "nameserver 10.8.0.2\nsearch internal\n")
    write(tmp_path / "etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0\n")
    resolver(tmp_path, "configure")
    assert forwards(tmp_path) == ["10.8.0.2"]


def test_it_never_forwards_to_itself(tmp_path: Path) -> None:
    write(tmp_path / "etc/resolv.conf", "nameserver 127.0.0.1\nnameserver 192.0.2.53\n")
    resolver(tmp_path, "configure")
    assert forwards(tmp_path) == ["192.0.2.53"]


def test_the_given_servers_answer_again_when_the_local_one_is_stopped(tmp_path: Path) -> None:
    write(tmp_path / "etc/resolv.conf", "search example.internal\nnameserver 192.0.2.53\n")
    resolver(tmp_path, "configure")
    resolver(tmp_path, "point")
    unit = text_of(RELEASE, "/etc/systemd/system/unbound.service.d/ping8.conf")
    (stop,) = (line for line in unit.splitlines() if line.startswith("ExecStopPost="))
    script = shlex.split(stop.partition("=-")[2])[-1].replace("$$", "$")
    for folder in ("/etc/", "/var/"):
        script = script.replace(f" {folder}", f" {tmp_path}{folder}")
    subprocess.run(["sh", "-c", script], check=True)
    text = (tmp_path / "etc/resolv.conf").read_text()
    assert text.split() == ["nameserver", "192.0.2.53", "search", "example.internal"]


def test_it_remembers_the_given_servers_once_resolv_conf_names_it(tmp_path: Path) -> None:
    write(tmp_path / "etc/resolv.conf", "search example.internal\nnameserver 192.0.2.53\n")
    resolver(tmp_path, "configure")
    resolver(tmp_path, "point")
    text = (tmp_path / "etc/resolv.conf").read_text()
    assert "nameserver 127.0.0.1\n" in text
    assert "192.0.2.53" not in text
    assert "search example.internal\n" in text
    resolver(tmp_path, "configure")
    assert forwards(tmp_path) == ["192.0.2.53"]


def test_a_link_to_the_distributions_resolver_is_replaced_not_written_through(
    tmp_path: Path,
) -> None:
    stub = tmp_path / "run/systemd/resolve/stub-resolv.conf"
    write(stub, "nameserver 127.0.0.53\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").symlink_to(stub)
    resolver(tmp_path, "point")
    assert not (tmp_path / "etc/resolv.conf").is_symlink()
    assert stub.read_text() == "nameserver 127.0.0.53\n"


def test_where_nothing_is_given_it_takes_the_resolver_of_every_vpc(tmp_path: Path) -> None:
    resolver(tmp_path, "configure")
    assert forwards(tmp_path) == ["169.254.169.253"]


@pytest.mark.skipif(shutil.which("unbound") is None, reason="no unbound on this machine")
def test_a_real_unbound_answers_from_what_it_forwards_to_and_then_from_its_cache(
    tmp_path: Path,
) -> None:
    write(tmp_path / "etc/resolv.conf", "nameserver 192.0.2.53\n")
    resolver(tmp_path, "configure")
    port = free_port()
    with upstream_server() as (server, asked):
        text = (tmp_path / CONFIGURATION).read_text()
        text = text.replace("port: 53", f"port: {port}")
        text = text.replace("192.0.2.53", f"127.0.0.1@{server}")
        write(tmp_path / "all.conf", f'{text}\nserver:\n username: ""\n chroot: ""\n pidfile: ""\n')
        process = subprocess.Popen(["unbound", "-d", "-p", "-c", tmp_path / "all.conf"])
        try:
            answers = [ask(port, process) for _ in range(3)]
        finally:
            process.terminate()
            process.wait(10)
    assert answers == ["198.51.100.7"] * 3
    assert asked == ["mx.example.net."]


def ask(port: int, process: "subprocess.Popen[bytes]") -> str:
    query = dns.message.make_query("mx.example.net", "A")
    while True:
        assert process.poll() is None, "unbound ended"
        with contextlib.suppress(OSError, dns.exception.Timeout):
            answer = dns.query.udp(query, "127.0.0.1", timeout=1, port=port)
            return str(answer.answer[0][0])


@contextlib.contextmanager
def upstream_server() -> Iterator[tuple[int, list[str]]]:
    """A resolver that knows one address; yields its port and the names that it was asked for."""
    asked: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                data, client = server.recvfrom(4096)
                if data == b"end":
                    return
                query = dns.message.from_wire(data)
                question = query.question[0]
                answer = dns.message.make_response(query, recursion_available=True)
                if question.rdtype == dns.rdatatype.A:
                    asked.append(str(question.name))
                    answer.answer.append(
                        dns.rrset.from_text(question.name, 300, "IN", "A", "198.51.100.7")
                    )
                server.sendto(answer.to_wire(), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], asked
        finally:
            server.sendto(b"end", server.getsockname())
            thread.join()
