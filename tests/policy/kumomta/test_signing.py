"""DKIM: signatures made by the policy, verified with dkimpy against the published DNS text."""

from collections.abc import Callable
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from policy.dns.texts import dkim_record
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import Mta

Host = Callable[..., Mta]
COVERED = {
    "from",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "list-unsubscribe",
    "list-unsubscribe-post",
}


def published(mta: Mta) -> Callable[..., bytes | None]:
    """DNS with the TXT records that the settings publish."""
    records = {}
    for (domain, selector), key in mta.secrets.dkim_keys.items():
        public = load_pem_private_key(key.encode(), None).public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        records[f"{selector}._domainkey.{domain}."] = dkim_record(pem).encode()
    return lambda name, **_: records.get(name.decode())


def signatures(data: bytes) -> list[dict[str, str]]:
    """The tags of each DKIM signature of a message, top first."""
    found = []
    for name, value in dkim.rfc822_parse(data)[0]:
        if name.lower() == b"dkim-signature":
            tags = (tag.split("=", 1) for tag in value.decode().split(";") if "=" in tag)
            found.append({key.strip(): "".join(text.split()) for key, text in tags})
    return found


def verified(mta: Mta, data: bytes) -> list[bool]:
    """Whether each signature verifies, top first."""
    dns = published(mta)
    return [dkim.DKIM(data).verify(idx=i, dnsfunc=dns) for i in range(len(signatures(data)))]


def deliver(mta: Mta, **options: Any) -> bytes:
    mta.inject(**options)
    mta.kumod.run()
    return mta.sent[-1].data


def test_the_active_key_signs_and_verifies_against_the_published_record(mta: Mta) -> None:
    data = deliver(mta)
    assert verified(mta, data) == [True]
    (signature,) = signatures(data)
    assert (signature["d"], signature["s"], signature["a"]) == ("example.com", "s1", "rsa-sha256")


def test_rsa_and_ed25519_both_sign(host: Host) -> None:
    chosen = settings(domains=[{"name": "example.com", "dkim": {"ed25519": True, "active": "s2"}}])
    mta = host(settings=chosen).start()
    data = deliver(mta)
    assert verified(mta, data) == [True, True]
    assert {(tags["s"], tags["a"]) for tags in signatures(data)} == {
        ("s2", "rsa-sha256"),
        ("s2-ed", "ed25519-sha256"),
    }


def test_the_headers_that_mailbox_providers_ask_for_are_covered(mta: Mta) -> None:
    data = deliver(
        mta,
        headers={
            "Reply-To": "help@example.com",
            "Cc": "c@example.net",
            "List-Unsubscribe": "<https://example.com/u>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    covered = signatures(data)[0]["h"].lower().split(":")
    assert set(covered) == COVERED
    assert covered.count("from") == 2, "over-signed: a second From breaks the signature"
    assert verified(mta, data) == [True]


@pytest.mark.parametrize("added", [b"From: boss@example.com\r\n", b"Subject: Pay at once\r\n"])
def test_a_header_added_on_the_way_breaks_the_signature(mta: Mta, added: bytes) -> None:
    data = deliver(mta)
    assert verified(mta, added + data) == [False]


def test_the_signing_domain_aligns_with_the_from_domain(host: Host) -> None:
    mta = host(
        settings=settings(domains=[{"name": "example.com"}, {"name": "news.example.com"}])
    ).start()
    data = deliver(mta, headers={"From": "x@news.example.com"})
    assert signatures(data)[0]["d"] == "news.example.com"
    assert verified(mta, data) == [True]


def test_what_the_policy_adds_is_signed_with_the_rest(mta: Mta) -> None:
    data = deliver(mta)
    assert b"\r\nDate: " in data
    assert verified(mta, data.replace(b"\r\nDate: ", b"\r\nDate: Tue, ")) == [False]


def test_a_new_active_selector_signs_as_soon_as_its_data_is_live(host: Host) -> None:
    mta = host().start()
    assert signatures(deliver(mta))[0]["s"] == "s1"
    path = mta.path("/opt/kumomta/etc/policy/data/sender_domains.json")
    path.write_text(path.read_text().replace('"s1"', '"s2"'))
    mta.kumod.advance(11)
    data = deliver(mta)
    assert signatures(data)[0]["s"] == "s2"
    assert verified(mta, data) == [True]


def test_the_caches_hold_every_signer_of_a_large_platform(host: Host) -> None:
    names = [{"name": f"d{number}.example"} for number in range(700)]
    mta = host(settings=settings(domains=names)).start()
    assert mta.kumod.counters["kumo.set_lruttl_cache_capacity"] == 3
    assert mta.kumod.counters["kumo.dkim.set_signing_threads"] == 1
