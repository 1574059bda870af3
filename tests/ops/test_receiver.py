"""What a receiver sees: by its own copy, or by the log and what DNS has."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ops import receiver
from ops.doctor.resolver import Resolver
from ops.receiver import Sight
from policy.settings.dkim import DkimKeys
from tests.examples import SMALL
from tests.ops.doctor.deployment import deployment_of
from tests.ops.doctor.dns_server import serving
from tests.ops.doctor.published import quoted

KEYS = DkimKeys()
SELECTOR = KEYS.active_selector
NAME, BOUNCES, EHLO = "example.net", "bounce.example.net", "out1.mail.example.com"
LETTER = (
    f"From: news@{NAME}\r\nTo: you@example.org\r\nSubject: ping8-send-1\r\n\r\nHello\r\n".encode()
)
LOGGED = Sight(address="203.0.113.5", ehlo=EHLO, tls="TLSv1.3", sender=f"a@{BOUNCES}")

_KEY = rsa.generate_private_key(65537, 2048)
_PEM = _KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)
_PUBLIC = base64.b64encode(
    _KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()

GOOD: dict[tuple[str, str], list[str]] = {
    ("5.113.0.203.in-addr.arpa", "PTR"): [f"{EHLO}."],
    (BOUNCES, "TXT"): ['"v=spf1 ip4:203.0.113.5 -all"'],
    (f"{SELECTOR}._domainkey.{NAME}", "TXT"): [quoted(f"v=DKIM1; k=rsa; p={_PUBLIC}")],
    (f"_dmarc.{NAME}", "TXT"): ['"v=DMARC1; p=reject"'],
}


def copy() -> Sight:
    """With the message as it arrived."""
    signature = dkim.sign(LETTER, SELECTOR.encode(), NAME.encode(), _PEM)
    return replace(LOGGED, message=signature + LETTER)


def judged(sight: Sight, records: dict[tuple[str, str], list[str]]) -> receiver.Rows:
    with serving(records) as server:
        return receiver.verdicts(sight, NAME, KEYS, Resolver((server,), seconds=2))


def test_a_copy_that_is_as_it_should_be_passes_everything() -> None:
    assert judged(copy(), GOOD) == {
        "address": "203.0.113.5",
        "EHLO": f"{EHLO}, the PTR of the address",
        "TLS": "TLSv1.3",
        "SPF": f"pass for {BOUNCES}",
        "DKIM": f"pass d={NAME} s={SELECTOR}",
        "DMARC": "pass by SPF and DKIM, p=reject",
    }


def test_without_a_copy_the_published_keys_are_what_can_be_known() -> None:
    rows = judged(LOGGED, GOOD)
    assert rows["DKIM"] == f"signed, d={NAME} s={SELECTOR}: keys are in DNS; no copy to verify"
    assert rows["DMARC"] == "pass by SPF and DKIM, p=reject"


@pytest.mark.parametrize(
    ("changes", "row", "verdict"),
    [
        ({("5.113.0.203.in-addr.arpa", "PTR"): ["other.example."]}, "EHLO", "but PTR"),
        ({(BOUNCES, "TXT"): ['"v=spf1 -all"']}, "SPF", f"fail for {BOUNCES}: "),
        ({(BOUNCES, "TXT"): []}, "SPF", f"none for {BOUNCES}: "),
        ({(f"{SELECTOR}._domainkey.{NAME}", "TXT"): []}, "DKIM", "fail"),
        ({(f"{SELECTOR}._domainkey.{NAME}", "TXT"): ['"v=DKIM1; p=AAAA"']}, "DKIM", "fail"),
        ({(f"_dmarc.{NAME}", "TXT"): []}, "DMARC", "no record"),
        (
            {(f"_dmarc.{NAME}", "TXT"): ['"v=DMARC1; p=none; aspf=s"']},
            "DMARC",
            "pass by DKIM, p=none",
        ),
    ],
)
def test_what_is_wrong_with_dns_is_seen(
    changes: dict[tuple[str, str], list[str]], row: str, verdict: str
) -> None:
    records = {key: values for key, values in (GOOD | changes).items() if values}
    assert verdict in judged(copy(), records)[row]


def test_a_copy_that_was_changed_on_the_way_fails() -> None:
    sight = copy()
    assert sight.message is not None
    rows = judged(replace(sight, message=sight.message + b"more\r\n"), GOOD)
    assert rows["DKIM"].startswith(f"fail d={NAME} s={SELECTOR} (body hash mismatch")
    assert rows["DMARC"] == "pass by SPF, p=reject"


def test_without_alignment_dmarc_fails() -> None:
    records = GOOD | {("elsewhere.example", "TXT"): ['"v=spf1 ip4:203.0.113.5 -all"']}
    sight = replace(LOGGED, sender="a@elsewhere.example", message=LETTER)
    rows = judged(sight, records)
    assert (rows["SPF"], rows["DKIM"]) == ("pass for elsewhere.example", "no signature")
    assert rows["DMARC"] == "fail, p=reject: not aligned"


def test_dns_that_does_not_answer_is_said() -> None:
    rows = receiver.verdicts(LOGGED, NAME, KEYS, Resolver(("127.0.0.1:1",), seconds=0.2))
    assert rows["DNS"].startswith("not known: ")
    assert rows["TLS"] == "TLSv1.3"


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Path]:
    """What a receiver of this machine wrote down."""
    path = tmp_path / "mail.jsonl"
    seen = {"peer": "203.0.113.5", "ehlo": EHLO, "tls": "TLSv1.3", "mail_from": f"a@{BOUNCES}"}
    rows: list[dict[str, Any]] = [
        {**seen, "message": LETTER.decode()},
        {**seen, "message": None, "answer": "550 ping8-send-1"},
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    yield path


def test_the_copy_is_the_message_with_our_mark(record: Path) -> None:
    assert receiver.by_its_copy(record, "ping8-send-1") == replace(LOGGED, message=LETTER)
    assert receiver.by_its_copy(record, "ping8-send-2") is None
    assert receiver.by_its_copy(record.with_name("none"), "ping8-send-1") is None


def test_before_an_attempt_nothing_was_seen() -> None:
    message = {"sender": "a@b.example", "steps": [{"source": None, "tls": None}]}
    assert receiver.by_the_log(deployment_of(SMALL), message) is None
