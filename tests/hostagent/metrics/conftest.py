"""A host with a release and a clock, and a server in kumod's place."""

import datetime
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from moto.server import ThreadedMotoServer

from hostagent.commands import Result
from policy.release import Role
from tests.examples import LARGE, settings_of
from tests.hostagent.metrics.aws import Front
from tests.hostagent.metrics.station import (
    Server,
    Station,
    captured,
    greeter,
    station,
    tls_server,
)
from tests.hostagent.world import Play, World, new_world, release

TRACKING = "A9FEA97B,169.254.169.123,4,1795219597.4,{offset},0.1,0.1,1,0,0,0,0,16.1,{leap}"


class ClockedPlay(Play):
    """The play of systemd, with chrony."""

    offset = -0.25
    leap = "Normal"

    def _chronyc(self, words: list[str]) -> Result:
        return Result(0, TRACKING.format(offset=self.offset, leap=self.leap))


@pytest.fixture
def host(tmp_path: Path) -> World:
    """A host with a healthy release."""
    world = new_world(tmp_path / "host")
    world.play = ClockedPlay()
    world.push(release())
    return world


@pytest.fixture
def kumod() -> Iterator[Server]:
    server = Server(captured("fresh"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that ends in forty days, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mta.mail.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), 1, now, now + datetime.timedelta(days=40)
        )
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, private


Make = Callable[..., Station]


@pytest.fixture
def mta(
    host: World, kumod: Server, certificate: tuple[Path, Path], tmp_path: Path
) -> Iterator[Make]:
    """Makes the station of an MTA host; keywords change settings, then configuration."""
    nginx, address = tls_server(*certificate)

    def make(settings: dict[str, Any] | None = None, **changes: Any) -> Station:
        chosen = settings_of(
            LARGE | {"webhook": {"url": "https://app.example.com/"}}, **settings or {}
        )
        return station(chosen, "mta", kumod, host.host(), tmp_path, **({"tls": address} | changes))

    yield make
    nginx.shutdown()
    nginx.server_close()


@pytest.fixture
def proxy(host: World, kumod: Server, tmp_path: Path) -> Iterator[Station]:
    """The station of a proxy host; `kumod` is the server in the proxy's place."""
    kumod.metrics = captured("proxy")
    role: Role = "proxy"
    host.play.state["kumoproxy.service"] = "active"
    with greeter(b"\5\0") as listener:
        yield station(settings_of(LARGE), role, kumod, host.host(), tmp_path, listener=listener)


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name is this machine, and its certificates are not judged."""
    real = socket.create_connection

    def here(address: tuple[str, int], *args: Any, **more: Any) -> socket.socket:
        return real(("127.0.0.1", address[1]), *args, **more)

    monkeypatch.setattr("socket.create_connection", here)
    monkeypatch.setattr("ssl.create_default_context", ssl._create_unverified_context)


@pytest.fixture(scope="module")
def moto() -> Iterator[int]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    yield int(server.get_host_and_port()[1])
    server.stop()


@pytest.fixture
def front(moto: int, certificate: tuple[Path, Path], loopback: None) -> Iterator[Front]:
    made = Front(moto, certificate)
    yield made
    made.close()
