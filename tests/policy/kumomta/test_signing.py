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
ALWAYS = ["from", "from", "to", "subject", "date", "message-id"]


def published(mta: Mta) -> Callable[..., bytes | None]:
    """DNS with the TXT records that the settings publish."""
    records = {}
    for domain in mta.settings.domains:
        for selector, _ in mta.settings.dkim_of(domain).published():
            key = mta.secrets.dkim_keys[domain.key_owner, selector]
            public = load_pem_private_key(key.encode(), None).public_key()
            pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            records[f"{selector}._domainkey.{domain.name}."] = dkim_record(pem).encode()
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


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        ({}, ["content-type", "mime-version"]),
        ({"Reply-To": "help@example.com"}, ["content-type", "mime-version", "reply-to"]),
        (
            {
                "Cc": "c@example.net",
                "Sender": "list@example.com",
                "List-Unsubscribe": "<https://example.com/u>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                "Feedback-ID": "1:2:3:ping8",
                "CFBL-Address": "fbl@example.com; report=arf",
                "In-Reply-To": "<1@example.com>",
                "References": "<1@example.com>",
            },
            [
                "content-type", "mime-version", "cc", "sender", "list-unsubscribe",
                "list-unsubscribe-post", "feedback-id", "cfbl-address", "cfbl-feedback-id",
                "in-reply-to", "references",
            ],
        ),
    ],
)  # fmt: skip
def test_headers_that_are_there_are_signed_and_from_once_more(
    mta: Mta, headers: dict[str, str], more: list[str]
) -> None:
    data = deliver(mta, headers={"Content-Type": "text/plain", **headers})
    assert signatures(data)[0]["h"].split(":") == ALWAYS + more
    assert verified(mta, data) == [True]


def test_a_second_author_breaks_the_signature(mta: Mta) -> None:
    assert verified(mta, b"From: boss@example.com\r\n" + deliver(mta)) == [False]


@pytest.mark.parametrize("added", [b"Reply-To: list@example.net\r\n", b"Sender: l@example.net\r\n"])
def test_what_mailing_lists_add_leaves_the_signature_whole(mta: Mta, added: bytes) -> None:
    assert verified(mta, added + deliver(mta)) == [True]


BODIES = {
    "empty": "",
    "one line end": "\r\n",
    "line ends": "\r\n\r\n\r\n",
    "a blank": " ",
    "blanks in lines": "  \r\n\t\r\n",
    "text": "Good morning",
    "text and line end": "Good morning\r\n",
    "last lines empty": "Good morning\r\n\r\n\r\n",
    "last lines blank": "Good morning\r\n  \r\n\t\r\n",
    "blanks at ends": "Good  \r\n\t morning \t \r\n",
    "8-bit": "Größe: 20 €\r\n",
    "long line": "x" * 990 + "\r\n",
    "dots": ".\r\n..\r\n",
    "many blanks": "text\r\n" + " " * 1500,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_the_signature_verifies_whatever_the_body(host: Host, body: str) -> None:
    chosen = settings(domains=[{"name": "example.com", "dkim": {"ed25519": True}}])
    mta = host(settings=chosen).start()
    data = deliver(mta, body=body)
    # What a server gets ends in a line end.
    whole = data if data.endswith(b"\r\n") else data + b"\r\n"
    assert verified(mta, whole) == [True, True]


def test_folded_headers_and_nested_parts_verify(mta: Mta) -> None:
    inner = "--i\r\nContent-Type: text/plain\r\n\r\none\r\n--i--\r\n"
    data = deliver(
        mta,
        headers={
            "Subject": "Hello\r\n  again,\r\n\tand again",
            "Content-Type": "multipart/mixed;\r\n boundary=o",
        },
        body=f"--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n{inner}\r\n--o--\r\n",
    )
    assert verified(mta, data) == [True]


def test_bcc_never_leaves(mta: Mta) -> None:
    data = deliver(mta, headers={"Bcc": "secret@example.net"})
    assert b"secret@example.net" not in data
    assert verified(mta, data) == [True]


def test_signers_are_few_whatever_mix_of_headers_comes(mta: Mta) -> None:
    for _ in range(2):
        for headers in (
            {},
            {"Reply-To": "a@example.com"},
            {"List-Unsubscribe": "<https://e.com/>"},
        ):
            for more in ({}, {"X-Mailer": "x"}, {"Organization": "y"}, {"List-Id": "z"}):
                mta.inject(headers={**headers, **more})
    assert mta.kumod.counters["dkim.key_load"] == 3


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


def test_the_keys_of_a_brand_sign_as_the_sender_domain(host: Host) -> None:
    brand = {"name": "default", "pool": "shared-default", "dkim": {"active": "s2"}}
    domains = [{"name": "example.com", "dkim": {"keys": "brand"}}]
    mta = host(settings=settings(brands=[brand], domains=domains)).start()
    data = deliver(mta)
    (signature,) = signatures(data)
    assert (signature["d"], signature["s"]) == ("example.com", "s2")
    assert verified(mta, data) == [True]


def test_a_new_active_selector_signs_as_soon_as_its_data_is_live(host: Host) -> None:
    mta = host().start()
    assert signatures(deliver(mta))[0]["s"] == "s1"
    path = mta.path("/opt/kumomta/etc/policy/data/sender_domains/b.json")
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
