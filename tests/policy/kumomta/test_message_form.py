"""What leaves is a message that RFC 5322 allows and that means what was given, or it is refused."""

import email
import email.policy
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import Mta

Host = Callable[..., Mta]

BUECHER = {"domains": [{"name": "Bücher.example."}, {"name": "example.com"}]}
ASCII = "xn--bcher-kva.example"
URL = "https://app.example.com/u?t="


def build(
    mta: Mta, *, to: str | None = None, sender: Mapping[str, str] | None = None, **content: Any
) -> dict[str, Any]:
    """Injects by kumod's builder, as parts instead of a text."""
    recipient = {"email": "u@example.net"} | ({"name": to} if to is not None else {})
    author = sender or {"email": "news@example.com"}
    parts = {"from": author, "subject": "Hello", "text_body": "Hi"}
    return mta.kumod.inject(
        {
            "envelope_sender": "7@example.com",
            "recipients": [recipient],
            "content": parts | content,
        }
    )


def sent(mta: Mta) -> bytes:
    """The one message that left."""
    mta.kumod.run()
    (attempt,) = mta.sent
    return attempt.data


def header_lines(data: bytes) -> list[bytes]:
    return data.partition(b"\r\n\r\n")[0].split(b"\r\n")


# One form of names ------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        "News <news@bücher.example>",
        "News <news@BÜCHER.Example>",
        "News <news@bu\u0308cher.example>",
        "news@bücher\u3002example",
        "=?utf-8?q?Gr=C3=BC=C3=9Fe?= <news@bücher.example>",
        "Grüße <news@bücher.example>",
        "News <news@XN--BCHER-KVA.example>",
    ],
)
def test_a_from_domain_is_known_in_every_form_and_leaves_in_ascii(host: Host, given: str) -> None:
    mta = host(settings=settings(**BUECHER)).start()
    assert mta.inject(headers={"From": given})["errors"] == []
    data = sent(mta)
    (line,) = (line for line in header_lines(data) if line.startswith(b"From:"))
    assert f"news@{ASCII}>".encode() in line.lower() or line.lower().endswith(ASCII.encode())
    assert f"d={ASCII};".encode() in data
    assert mta.sent[0].sender == f"bounce-7@bounce.{ASCII}"


@pytest.mark.parametrize("name", [None, "News", "Grüße"])
def test_the_builder_takes_a_from_domain_in_unicode(host: Host, name: str | None) -> None:
    mta = host(settings=settings(**BUECHER)).start()
    author = {"email": "news@bücher.example"} | ({"name": name} if name else {})
    assert build(mta, sender=author)["errors"] == []
    found = email.message_from_bytes(sent(mta), policy=email.policy.default)["From"]
    (mailbox,) = found.addresses
    assert (mailbox.display_name, mailbox.addr_spec) == (name or "", f"news@{ASCII}")


def test_other_addresses_leave_in_ascii_too(mta: Mta) -> None:
    headers = {
        "To": "Ü <u@bücher.example>",
        "Reply-To": "help@日本.example",
        "X-Note": "a@bü.example",
    }
    assert mta.inject(headers=headers)["errors"] == []
    data = sent(mta)
    assert data.isascii()
    parsed = email.message_from_bytes(data, policy=email.policy.default)
    assert parsed["To"].addresses[0].addr_spec == f"u@{ASCII}"
    assert parsed["Reply-To"].addresses[0].addr_spec == "help@xn--wgv71a.example"
    assert parsed["X-Note"] == "a@bü.example"


@pytest.mark.parametrize("given", ["News <news@example.com.>", "news@example.com."])
def test_a_last_dot_in_from_is_refused_with_what_to_write(mta: Mta, given: str) -> None:
    """kumod drops such a header: nothing of it is left that could be corrected."""
    (error,) = mta.inject(headers={"From": given})["errors"]
    assert "From header: write one, such as News <news@example.com>, without a dot" in error


# Lines and words --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("List-Unsubscribe", f"<{URL}{'z' * 1500}>"),
        ("List-Unsubscribe", f"\r\n <{URL}{'z' * 950}>"),
        ("List-Unsubscribe", f"<mailto:u@example.com>, <{URL}{'z' * 900}>"),
        ("List-Id", f"<{'z' * 990}>"),
        ("Subject", "z" * 900),
        ("Subject", f"=?utf-8?q?{'a' * 1200}?="),
        ("X-PING8-Campaign-Id", "z" * 1500),
        ("X-A", f"{'y' * 900} {'z' * 900}"),
    ],
)
def test_a_word_that_kumod_would_cut_is_refused_with_its_header(
    mta: Mta, name: str, value: str
) -> None:
    (error,) = mta.inject(headers={name: value})["errors"]
    assert f"550 5.6.0 header {name} has more than 899 characters without a blank" in error


@pytest.mark.parametrize(
    "value",
    [
        "z" * 899,
        "word " * 300,
        "word\r\n " * 300,
        f"<{URL}{'z' * 700}>, <mailto:{'z' * 600}@example.com>",
        "ü" * 600,
        f"{'z' * 1000} ü",
        "<1.a@example.com>\r\n\t<2.b@example.com>",
    ],
)
def test_a_long_value_leaves_in_short_lines_and_unharmed(mta: Mta, value: str) -> None:
    assert mta.inject(headers={"X-Long": value})["errors"] == []
    data = sent(mta)
    assert max(len(line) for line in header_lines(data)) <= 998
    found = email.message_from_bytes(data, policy=email.policy.default)["X-Long"]
    assert " ".join(found.split()) == " ".join(value.split())


def test_a_builders_header_is_measured_too(mta: Mta) -> None:
    (error,) = build(mta, headers={"List-Unsubscribe": f"<{URL}{'z' * 1500}>"})["errors"]
    assert "header List-Unsubscribe has more than 899" in error


@pytest.mark.parametrize("subject", ["One\nBcc: x@y.example", "One\r\n\r\nBody", "a\rb", "a\tb"])
def test_a_line_break_in_the_builders_subject_is_a_blank(mta: Mta, subject: str) -> None:
    assert build(mta, subject=subject)["errors"] == []
    data = sent(mta)
    parsed = email.message_from_bytes(data, policy=email.policy.default)
    assert parsed["Subject"] == " ".join(subject.split())
    assert parsed["Bcc"] is None
    assert data.endswith(b"\r\n\r\nHi")


@pytest.mark.parametrize("name", ["N\nX: y", "N\nM", 'N"\nX: y', "N\\\nX: y", "N\n\nbody"])
def test_a_line_break_in_a_recipients_name_adds_no_header(mta: Mta, name: str) -> None:
    (error,) = build(mta, to=name)["errors"]
    assert "550 5.6.0 header To has a quote" in error or "a line after header To" in error


@pytest.mark.parametrize("name", ["N\r\n X: y", "Ü\nX: y", 'Jane "J" Doe', 'Müller "M', "A, B"])
def test_a_name_that_stays_in_its_header_is_taken(mta: Mta, name: str) -> None:
    assert build(mta, to=name)["errors"] == []
    parsed = email.message_from_bytes(sent(mta), policy=email.policy.default)
    assert parsed["X"] is None
    assert parsed["To"].addresses[0].addr_spec == "u@example.net"


@pytest.mark.parametrize("name", ["X A", "X\r\nBcc", "", "X\nY"])
def test_a_name_that_is_none_is_refused(mta: Mta, name: str) -> None:
    (error,) = build(mta, headers={name: "v"})["errors"]
    assert "550 5.6.0 a line after header" in error


def test_a_name_that_makes_its_line_too_long_is_refused(mta: Mta) -> None:
    assert mta.inject(headers={f"X-{'n' * 88}": "z" * 899})["errors"] == []
    for length, value in ((1000, "v"), (110, "z" * 899)):
        (error,) = mta.inject(headers={f"X-{'n' * length}": value})["errors"]
        assert "550 5.6.0 header X-nnn" in error
        assert "has a line of more than 998 octets: shorten its name" in error


@pytest.mark.parametrize("line", ["nonsense", "non sense", ": v"])
def test_a_line_that_is_no_header_is_refused_with_the_one_before(mta: Mta, line: str) -> None:
    head = "From: news@example.com\r\nTo: u@example.net\r\nSubject: Hello"
    (error,) = mta.inject_raw(f"{head}\r\n{line}\r\nX-A: b\r\n\r\nHi")["errors"]
    assert "a line after header Subject is no header" in error


@pytest.mark.parametrize("value", ["a\x01b", "a\0b", "a\x7fb", "a\x0bb", "=?utf-8?q?a=00b?="])
def test_a_control_character_is_refused_with_its_header(mta: Mta, value: str) -> None:
    (error,) = mta.inject(headers={"X-A": value})["errors"]
    assert "550 5.6.0 header X-A has a control character" in error
