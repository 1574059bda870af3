"""Texts of SPF, DKIM and DMARC."""

import base64

import dkim
import dns.rdata
import pytest
import spf
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dns.rdtypes.ANY.TXT import TXT
from hypothesis import example, given
from hypothesis import strategies as st

from policy.dns import texts
from policy.settings.domains import Dmarc

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=1200)


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """The public half, as Pulumi's tls provider gives it."""
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def parsed(zone_form: str) -> tuple[bytes, ...]:
    """The character-strings that a DNS server makes of a zone file's text."""
    rdata = dns.rdata.from_text("IN", "TXT", zone_form)
    assert isinstance(rdata, TXT)
    return rdata.strings


@given(st.text(max_size=1200))
@example("\u00e9" * 300)
def test_chunks_are_at_most_255_bytes_and_lose_nothing(text: str) -> None:
    parts = texts.chunks(text)
    assert "".join(parts) == text
    assert all(len(part.encode()) <= 255 for part in parts)


@given(PRINTABLE)
def test_only_the_last_chunk_is_short(text: str) -> None:
    parts = texts.chunks(text)
    assert all(len(part) == 255 for part in parts[:-1])


@given(PRINTABLE)
def test_a_dns_server_reads_the_text_that_was_meant_from_a_zone_file(text: str) -> None:
    strings = parsed(texts.quoted(text))
    assert b"".join(strings).decode() == text
    assert all(len(string) <= 255 for string in strings)


@given(PRINTABLE)
def test_route_53_reads_the_text_that_was_meant(text: str) -> None:
    # The provider puts one pair of quotes around each item of `records`.
    sent = f'"{texts.route53_text(text)}"'
    assert b"".join(parsed(sent)).decode() == text


def test_a_long_text_is_one_record_of_several_strings() -> None:
    assert texts.route53_text("x" * 300) == f'{"x" * 255}""{"x" * 45}'


@pytest.mark.parametrize("text", ["two\nlines", "tab\t", "sch\u00f6n"])
def test_what_dns_cannot_carry_plainly_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        texts.quoted(text)


@given(st.lists(st.ip_addresses(v=4).map(str), max_size=20, unique=True))
def test_spf_names_each_address_once_and_ends_with_its_verdict(addresses: list[str]) -> None:
    terms = texts.spf(addresses).split()
    assert terms == ["v=spf1", *(f"ip4:{address}" for address in addresses), "-all"]


def test_spf_knows_ipv6() -> None:
    assert texts.spf(["2001:db8::1"]) == "v=spf1 ip6:2001:db8::1 -all"


@pytest.mark.parametrize(
    ("address", "verdict"), [("192.0.2.1", "pass"), ("192.0.2.2", "pass"), ("192.0.2.3", "fail")]
)
def test_an_spf_evaluator_agrees_with_the_record(address: str, verdict: str) -> None:
    query = spf.query(address, "sender@example.com", "out1.example.com")
    result, _, _ = query.check(spf=texts.spf(["192.0.2.1", "192.0.2.2"]))
    assert result == verdict


def test_an_rsa_key_record_verifies_a_signature_of_its_key() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    record = texts.dkim_record(pem(key))
    public, size, kind, _ = dkim.load_pk_from_dns(
        b"s1._domainkey.example.com", lambda *_, **__: record.encode()
    )
    assert (size, kind) == (2048, b"rsa")
    assert public["modulus"] == key.public_key().public_numbers().n


def test_an_ed25519_key_record_holds_the_raw_key() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    record = texts.dkim_record(pem(key))
    raw = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    assert record == f"v=DKIM1; k=ed25519; p={raw}"


def test_a_key_that_dkim_has_no_form_for_is_refused() -> None:
    with pytest.raises(ValueError, match="RSA or Ed25519"):
        texts.dkim_record(pem(ec.generate_private_key(ec.SECP256R1())))


@pytest.mark.parametrize(
    ("dmarc", "text"),
    [
        (Dmarc(), "v=DMARC1; p=none"),
        (
            Dmarc(policy="reject", subdomain_policy="quarantine", report="d@example.com"),
            "v=DMARC1; p=reject; sp=quarantine; rua=mailto:d@example.com",
        ),
        (Dmarc(report="b!c@example.com"), "v=DMARC1; p=none; rua=mailto:b%21c@example.com"),
    ],
)
def test_a_dmarc_record_says_policy_and_report_address(dmarc: Dmarc, text: str) -> None:
    assert texts.dmarc_record(dmarc) == text
