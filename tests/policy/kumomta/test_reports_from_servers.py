"""Each bounce and complaint that servers send becomes an event with our values, or is kept.

The counts are those of the samples: parsed right, kept in the inbox, lost (none).
"""

import base64
import html
import quopri
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.policy.kumomta.mta import Mta
from tests.policy.kumomta.reports import inbox

SAMPLES = Path(__file__).parent / "reports_from_servers"
VALUES = {
    "Subject": "50% = half",
    "X-PING8-Campaign-Id": "campaign-1",
    "X-PING8-Task-Id": "task-2",
    "X-PING8-Recipient-Id": "recipient-3",
    "X-PING8-Api-Log-Id": "api-log-4",
    "X-PING8-Message-Id": "bWVzc2FnZS01==",
    "X-PING8-Sending-Profile-Id": "profile-6",
}
UNPROVED = {"verified": False}
HEADERS = "\n".join(
    [
        "From: News <news@example.com>",
        "To: u@example.net",
        "Date: Sat, 28 Nov 2026 10:00:00 +0000",
        "Message-ID: <1@example.com>",
        *(f"{name}: {value}" for name, value in VALUES.items()),
    ]
)
HUMAN = {
    "quoted": f"Original message headers:\n\n{HEADERS}\n",
    "long": "x" * 5000,
    "escape": "\x1b]52;c;x\x07",
}


def samples(name: str) -> list[Any]:
    found = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    return [pytest.param(sample, id=sample["name"]) for sample in found]


def encoded(text: str, encoding: str | None) -> str:
    if encoding == "base64":
        return base64.encodebytes(text.encode()).decode()
    if encoding == "quoted-printable":
        return quopri.encodestring(text.encode()).decode()
    return text


def part(kind: str, text: str, encoding: str | None = None) -> str:
    head = f"Content-Type: {kind}\n"
    if encoding:
        head += f"Content-Transfer-Encoding: {encoding}\n"
    return f"--b1\n{head}\n{encoded(text, encoding)}\n"


def returned(sample: Mapping[str, Any], default: str) -> str:
    kind = sample.get("returned_type", default)
    if kind == "none":
        return ""
    text = HEADERS if "headers" in kind else f"{HEADERS}\n\nGood morning"
    if sample.get("nested"):
        text = (
            "From: gateway@mx.example.net\nSubject: Undelivered\n"
            'Content-Type: multipart/report; boundary="b2"\n\n'
            f"--b2\nContent-Type: message/rfc822\n\n{text}\n--b2--\n"
        )
    return part(kind, text, sample.get("returned_encoding"))


def message(kind: str, report_type: str | None, sender: str, parts: list[str]) -> str:
    chosen = f"; report-type={report_type}" if report_type else ""
    head = (
        f"From: {sender}\nTo: 7@bounce.example.com\nSubject: Report\nMIME-Version: 1.0\n"
        f'Content-Type: {kind}{chosen}; boundary="b1"\n\n'
    )
    return head + "".join(parts) + "--b1--\n"


def delivery_report(sample: Mapping[str, Any]) -> str:
    human = sample.get("human", "Sorry.")
    parts = [
        part("text/plain", HUMAN.get(human, human)),
        part(
            sample.get("status_type", "message/delivery-status"),
            sample["status"],
            sample.get("status_encoding"),
        ),
        returned(sample, "message/rfc822"),
    ]
    if sample.get("order") == "returned first":
        parts.reverse()
    text = message(
        sample.get("type", "multipart/report"),
        sample.get("report_type", "delivery-status"),
        "MAILER-DAEMON@mx.example.net",
        parts,
    )
    return text.removesuffix("--b1--\n") if sample.get("cut") else text


def complaint(sample: Mapping[str, Any]) -> str:
    parts = [part("text/plain", "This is a complaint.")]
    if sample["report"]:
        parts.append(
            part(
                sample.get("part_type", "message/feedback-report"),
                sample["report"],
                sample.get("part_encoding"),
            )
        )
    parts.append(returned(sample, "message/rfc822"))
    return message(
        sample.get("type", "multipart/report"),
        sample.get("report_type", "feedback-report"),
        "fbl@mailbox.example",
        parts,
    )


def in_words(sample: Mapping[str, Any]) -> str:
    words = f"550 5.1.1 no such user u@example.net\n\n{HEADERS}\n"
    fillings = {
        "@HEADERS@": HEADERS,
        "@HEADERS_QP@": encoded(HEADERS, "quoted-printable"),
        "@INDENTED@": HEADERS.replace("\n", "\n    "),
        "@QUOTED@": HEADERS.replace("\n", "\n> "),
        "@LOWER@": re.sub("(?m)^[^:]+:", lambda name: name[0].lower(), HEADERS),
        "@FOLDED@": re.sub("(?m)^(X-[^:]+:) ", "\\1\n\t", HEADERS),
        "@ENCODED_SUBJECT@": HEADERS.replace("50% = half", "=?iso-8859-1?Q?50%_=3D_half?="),
        "@HTML_HEADERS@": html.escape(HEADERS).replace("\n", "<br>\n"),
        "@WORDS_BASE64@": encoded(words, "base64"),
    }
    text: str = sample["text"]
    for mark, filling in fillings.items():
        text = text.replace(mark, filling)
    return text


def receive(mta: Mta, sample: Mapping[str, Any], text: str, sender: str = "") -> int:
    data = text.encode("latin-1") if "\xe9" in text else text.encode()
    if sample.get("line_end") != "LF":
        data = data.replace(b"\n", b"\r\n")
    answer = mta.kumod.receive_smtp(sample.get("sender", sender), ["7@bounce.example.com"], data)
    mta.kumod.run()
    return answer.code


def expect(mta: Mta, sample: Mapping[str, Any], code: int) -> None:
    want = sample["want"]
    bounces = mta.events("OOB")
    assert not mta.events("Feedback")
    assert not any("failed to log" in text for _, text in mta.kumod.diagnostics)
    if isinstance(want, str):
        assert (code, bounces) == (550 if want == "refused" else 250, [])
        assert len(inbox(mta)) == (want == "inbox")
        return
    assert code == 250
    wanted = want if isinstance(want, list) else [want]
    assert len(bounces) == len(wanted)
    for event, entry in zip(bounces, wanted, strict=True):
        response = event["response"]
        enhanced = ".".join(
            str(response["enhanced_code"][key]) for key in ("class", "subject", "detail")
        )
        assert event["recipient"] == entry["recipient"]
        assert (response["code"], enhanced) == (entry["code"], entry.get("enhanced", "5.1.1"))
        assert entry.get("text", "") in response["content"]
        if "class" in entry:
            assert event["bounce_classification"] == entry["class"]
        assert event["headers"] == (UNPROVED | (VALUES if sample.get("values", True) else {}))
        shown = f"{response['content']}{event['peer_address']['name']}"
        assert shown.isprintable()


@pytest.mark.parametrize("sample", samples("delivery_reports"))
def test_delivery_reports(mta: Mta, sample: Mapping[str, Any]) -> None:
    expect(mta, sample, receive(mta, sample, delivery_report(sample)))


@pytest.mark.parametrize("sample", samples("words"))
def test_bounces_in_words(mta: Mta, sample: Mapping[str, Any]) -> None:
    expect(mta, sample, receive(mta, sample, in_words(sample)))


@pytest.mark.parametrize("sample", samples("complaints"))
def test_complaints(mta: Mta, sample: Mapping[str, Any]) -> None:
    code = receive(mta, sample, complaint(sample), "fbl@mailbox.example")
    assert code == 250
    (event,) = mta.events("Feedback")
    assert event["headers"] == UNPROVED | VALUES
    report = event["feedback_report"]
    assert report["feedback_type"] == sample.get("want", "abuse")
    assert report["original_message"].startswith("From: News <news@example.com>\n")
    assert report["user_agent"].isprintable()
