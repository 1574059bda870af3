"""The sandbox's certificate authority."""

import ssl
from pathlib import Path

from sandbox.authority import Authority, Certificate


def handshake(certificate: Certificate, trusted: Path, name: str) -> None:
    """TLS between two ends in memory, the client verifying the name."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate.chain, certificate.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        ssl.create_default_context(cafile=str(trusted)).wrap_bio(
            to_client, to_server, server_hostname=name
        ),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    waiting = set(ends)
    while waiting:
        for end in tuple(waiting):
            try:
                end.do_handshake()
                waiting.discard(end)
            except ssl.SSLWantReadError:
                continue


def test_who_trusts_the_authority_trusts_its_certificates_for_their_names(tmp_path: Path) -> None:
    authority = Authority(folder=tmp_path / "authority")
    certificate = authority.issue("app", "app.ping8.test", "198.51.100.80")
    for name in ("app.ping8.test", "198.51.100.80"):
        handshake(certificate, authority.certificate, name)
    try:
        handshake(certificate, authority.certificate, "other.test")
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("a foreign name was trusted")


def test_a_certificate_is_made_once(tmp_path: Path) -> None:
    authority = Authority(folder=tmp_path)
    one = authority.issue("app", "app.ping8.test").chain.read_bytes()
    assert authority.issue("app", "app.ping8.test").chain.read_bytes() == one


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    Authority(folder=tmp_path).issue("app", "app.ping8.test")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("*.key")}
    assert modes == {"authority.key": 0o600, "app.key": 0o600}
