"""Bounces and complaints: taken for our domains alone, and attributed to the message."""

from collections.abc import Callable

import pytest

from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import CORRELATION, Mta
from tests.policy.kumomta.reports import bounce, complaint, header_block, inbox

Host = Callable[..., Mta]
SUBJECT = "=?utf-8?q?Gr=C3=BC=C3=9Fe?="
EVERYTHING = {"Subject": "Grüße", **CORRELATION}
VERIFIED = {**EVERYTHING, "verified": True}


def sent_message(mta: Mta, **headers: str) -> bytes:
    """A message as the recipient's server got it."""
    mta.inject(headers={"Subject": SUBJECT, **headers})
    mta.kumod.run()
    return mta.sent[-1].data


@pytest.mark.parametrize("content_type", ["message/rfc822", "text/rfc822-headers"])
def test_a_bounce_becomes_an_event_with_the_messages_correlation_values(
    mta: Mta, content_type: str
) -> None:
    original = sent_message(mta)
    returned = original if content_type == "message/rfc822" else header_block(original)
    taken = mta.kumod.receive_smtp(
        "", ["7@bounce.example.com"], bounce(returned, content_type=content_type)
    )
    assert taken.code == 250
    mta.kumod.run()
    (event,) = mta.events("OOB")
    assert event["headers"] == VERIFIED
    assert event["recipient"] == "u@example.net"
    assert event["response"]["code"] == 550


def test_a_bounce_of_a_domain_that_is_held_since_its_message_left_is_taken(mta: Mta) -> None:
    message = sent_message(mta)
    mta.settings = settings(unpublished=["example.com"])
    mta.write_files()
    mta.kumod.advance(11)
    taken = mta.kumod.receive_smtp("", ["7@bounce.example.com"], bounce(header_block(message)))
    assert taken.code == 250
    mta.kumod.run()
    assert len(mta.events("OOB")) == 1


def test_each_recipient_of_a_bounce_makes_an_event_with_its_own_id(mta: Mta) -> None:
    original = header_block(sent_message(mta))
    report = bounce(original, recipients=("u@example.net", "v@example.net"))
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], report)
    mta.kumod.run()
    assert [event["recipient"] for event in mta.events("OOB")] == ["u@example.net", "v@example.net"]
    ids = [dict(request.headers)["x-ping8-event-id"] for request in mta.posts()]
    assert len(set(ids)) == len(ids)


def test_a_complaint_becomes_an_event_with_the_messages_correlation_values(mta: Mta) -> None:
    report = complaint(sent_message(mta))
    assert (
        mta.kumod.receive_smtp("fbl@mailbox.example", ["7@bounce.example.com"], report).code == 250
    )
    mta.kumod.run()
    (event,) = mta.events("Feedback")
    assert event["headers"] == VERIFIED
    assert event["feedback_report"]["feedback_type"] == "abuse"


def test_a_separate_feedback_domain_takes_complaints(host: Host) -> None:
    mta = host(
        settings=settings(domains=[{"name": "example.com", "feedback": "fbl.example.com"}])
    ).start()
    report = complaint(sent_message(mta))
    assert (
        mta.kumod.receive_smtp("x@mailbox.example", ["abuse@FBL.example.com"], report).code == 250
    )
    mta.kumod.run()
    assert mta.events("Feedback")[0]["headers"] == VERIFIED


def test_values_come_from_the_trace_header_where_the_reporter_removed_ours(mta: Mta) -> None:
    kept = [
        line
        for line in header_block(sent_message(mta)).split(b"\r\n")
        if not line.lower().startswith(b"x-ping8-")
    ]
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], bounce(b"\r\n".join(kept)))
    mta.kumod.run()
    assert mta.events("OOB")[0]["headers"] == VERIFIED


def test_long_values_make_no_line_that_mail_servers_refuse(mta: Mta) -> None:
    long = {name: value + "-" + "x" * 150 for name, value in CORRELATION.items()}
    mta.inject(headers=long)
    mta.kumod.run()
    original = header_block(mta.sent[-1].data)
    assert all(len(line) <= 998 for line in original.split(b"\r\n"))
    kept = [line for line in original.splitlines() if not line.lower().startswith(b"x-ping8-")]
    report = bounce(b"\r\n".join([*kept, b""]))
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], report)
    mta.kumod.run()
    (event,) = mta.events("OOB")
    assert {name: event["headers"][name] for name in long} == long


def test_values_come_from_our_headers_where_the_reporter_removed_the_trace(mta: Mta) -> None:
    kept = [
        line
        for line in header_block(sent_message(mta)).split(b"\r\n")
        if not line.startswith(b"X-KumoRef")
    ]
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], bounce(b"\r\n".join(kept)))
    mta.kumod.run()
    assert mta.events("OOB")[0]["headers"] == EVERYTHING | {"verified": False}


@pytest.mark.parametrize(
    "original",
    [
        b"Subject: Hello\r\n",
        b"X-KumoRef: not base64 at all\r\nSubject: Hello\r\n",
        b"X-KumoRef: e30\r\n",
        b"X-KumoRef: WzEsMl0=\r\n",
        b"X-PING8-Task-Id: " + b"x" * 5000 + b"\r\n",
        b"",
        b"\xff\xfe\x00\r\n\r\n\r\n",
    ],
)
def test_a_report_without_usable_values_is_an_event_all_the_same(mta: Mta, original: bytes) -> None:
    assert mta.kumod.receive_smtp("", ["7@bounce.example.com"], bounce(original)).code == 250
    mta.kumod.run()
    (event,) = mta.events("OOB")
    assert not any(name.startswith("X-PING8") for name in event["headers"])


def test_a_report_is_never_judged_by_its_from_nor_signed_nor_relayed(mta: Mta) -> None:
    report = bounce(header_block(sent_message(mta)), sender="x@not-ours.example")
    mta.kumod.receive_smtp("x@not-ours.example", ["7@bounce.example.com"], report)
    before = len(mta.sent), mta.kumod.counters["dkim.signature"]
    mta.wait(3600)
    assert (len(mta.sent), mta.kumod.counters["dkim.signature"]) == before


@pytest.mark.parametrize(
    "recipient",
    ["u@example.net", "postmaster@example.com", "x@sub.bounce.example.com", "x@mail.example.com"],
)
@pytest.mark.parametrize("peer", ["203.0.113.9", "127.0.0.1"])
def test_nothing_is_relayed_for_anybody(mta: Mta, recipient: str, peer: str) -> None:
    refused = mta.kumod.receive_smtp(
        "news@example.com", [recipient], b"From: news@example.com\r\n\r\nx", peer=peer
    )
    assert refused.code == 550


def test_mail_that_is_no_report_is_refused_at_a_bounce_domain(mta: Mta) -> None:
    refused = mta.kumod.receive_smtp(
        "x@elsewhere.example", ["7@bounce.example.com"], b"From: x@elsewhere.example\r\n\r\nBuy!"
    )
    assert refused.code == 550
    mta.kumod.run()
    assert mta.sent == []
    assert mta.posts() == [], "scanners must not flood PING8"


def test_receptions_of_reports_and_rejections_are_sent_when_asked_for(host: Host) -> None:
    mta = host(
        settings=settings(webhook={"url": "https://app.example.com/e", "leave_out": []})
    ).start()
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], bounce(header_block(sent_message(mta))))
    mta.kumod.receive_smtp("x@elsewhere.example", ["x@elsewhere.example"], b"")
    mta.kumod.run()
    assert {"Reception", "OOB", "Rejection"} <= {event["type"] for event in mta.events()}


def test_eight_bit_rubbish_beside_our_headers_does_not_hide_them(mta: Mta) -> None:
    original = header_block(sent_message(mta)).replace(b"\r\nTo: ", b"\r\nX-Odd: \xff\xfe\r\nTo: ")
    assert mta.kumod.receive_smtp("", ["7@bounce.example.com"], bounce(original)).code == 250
    mta.kumod.run()
    assert mta.events("OOB")[0]["headers"] == VERIFIED


def test_an_unreadable_report_is_kept_and_reported(mta: Mta) -> None:
    report = bounce(header_block(sent_message(mta)))
    path = mta.path("/opt/kumomta/etc/policy/report_mime.lua")
    path.write_text(path.read_text().replace("function mod.parse(", "function mod.parsed("))
    mta.kumod.bump_epoch()
    assert mta.kumod.receive_smtp("", ["7@bounce.example.com"], report).code == 250
    mta.kumod.run()
    (kept,) = inbox(mta)
    assert kept.endswith(report)
    assert not mta.events("OOB")
    assert any("cannot be read, and is kept" in text for _, text in mta.kumod.diagnostics)


def test_a_whole_message_comes_back_however_large_injection_takes_it(host: Host) -> None:
    mta = host().start()
    original = sent_message(mta) + b"x" * 76 + b"\r\n"
    large = original + (b"x" * 76 + b"\r\n") * (mta.settings.reception.max_message_mib * 13_000)
    report = bounce(large, content_type="message/rfc822")
    assert len(report) > mta.settings.reception.max_message_mib * 1_000_000
    assert mta.kumod.receive_smtp("", ["7@bounce.example.com"], report).code == 250
    mta.kumod.run()
    assert mta.events("OOB")[0]["headers"] == VERIFIED


@pytest.mark.parametrize(
    "recipient",
    [
        "postmaster@bounce.example.com",
        "Abuse@bounce.example.com",
        "d@bounce.example.com",
        "POSTMASTER@fbl.example.com",
        "abuse@fbl.example.com",
    ],
)
def test_mail_to_the_people_behind_a_report_domain_is_kept(host: Host, recipient: str) -> None:
    domain = {
        "name": "example.com",
        "feedback": "fbl.example.com",
        "dmarc": {"report": "d@bounce.example.com"},
    }
    mta = host(settings=settings(domains=[domain])).start()
    mail = (
        b"From: fbl@mailbox.example\r\nSubject: Please confirm\r\n\r\nhttps://mailbox.example\r\n"
    )
    assert mta.kumod.receive_smtp("fbl@mailbox.example", [recipient], mail).code == 250
    mta.kumod.run()
    (kept,) = inbox(mta)
    assert kept.endswith(mail)
    assert mta.events() == []
    assert mta.sent == []


@pytest.mark.parametrize(
    "hostile",
    [
        b"\r\n" * 120_000,
        b"; a=b" * 50_000,
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n" * 40_000,
        b"X: y\r\n" + b" z\r\n" * 60_000,
        b"<" * 250_000,
        b"=?" * 120_000,
        b"@" * 240_000,
        b"a@" * 120_000,
        b"".join(
            b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1)
            for n in range(4_000)
        ),
    ],
)
def test_a_hostile_report_costs_no_more_than_its_size(mta: Mta, hostile: bytes) -> None:
    counted = 0
    head = b'From: MAILER-DAEMON@x.example\r\nContent-Type: multipart/report; boundary="b0"\r\n\r\n'
    answer = mta.kumod.receive_smtp("", ["7@bounce.example.com"], head + hostile)
    mta.kumod.run()
    counted += len(mta.events("OOB")) + len(inbox(mta))
    assert (answer.code, counted) == (250, 1)
