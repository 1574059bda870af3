"""Messages: headers, signatures, reports, and what the injection API makes of its input."""

import base64
import json
from email import message_from_bytes
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from standins.kumod import Kumod
from standins.kumod.tests.policies import BASE, request, started

LISTENER = """
kumo.on('get_listener_domain', function(domain)
  if domain == 'bounce.d.test' then
    return kumo.make_listener_domain { log_oob = 'LogThenDrop' }
  elseif domain == 'fbl.d.test' then
    return kumo.make_listener_domain { log_arf = 'LogThenDrop' }
  end
end)
"""
BOUNCE = b"""From: MAILER-DAEMON@mx.r.test\r
To: a+1@bounce.d.test\r
Subject: Undelivered\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
Sorry.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.r.test\r
\r
Final-Recipient: rfc822; u@r.test\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 5.1.1 no such user\r
\r
--b\r
Content-Type: message/rfc822\r
\r
From: a@d.test\r
Subject: hello\r
X-PING8-Campaign-Id: c1\r
\r
hello\r
--b--\r
"""


def _abuse_report(original: bytes) -> bytes:
    return (
        b"From: fbl@isp.test\r\nTo: fbl@fbl.d.test\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n"
        b"User-Agent: x/1\r\nVersion: 1\r\nOriginal-Mail-From: <a@d.test>\r\n\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + original + b"\r\n--b--\r\n"
    )


def _sent(kumod: Kumod) -> bytes:
    kumod.run()
    return kumod.delivered_messages[-1].data


@pytest.mark.parametrize("canonicalization", ["Relaxed", "Simple"])
@pytest.mark.parametrize("kind", ["rsa_sha256", "ed25519"])
def test_signatures_verify(tmp_path: Path, kind: str, canonicalization: str) -> None:
    key: Any
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes_raw()
        record = f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}"
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        der = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        record = f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    policy = (
        BASE
        + f"""
    kumo.on('http_message_generated', function(msg)
      msg:dkim_sign(kumo.dkim.{kind}_signer {{
        domain = 'd.test', selector = 's', over_sign = true, key = '/opt/kumomta/etc/dkim/s.key',
        header_canonicalization = '{canonicalization}',
        body_canonicalization = '{canonicalization}',
        headers = {{ 'From', 'To', 'Cc', 'Subject', 'Date' }} }})
    end)"""
    )
    kumod = started(tmp_path, policy, files={"/opt/kumomta/etc/dkim/s.key": pem})
    kumod.inject(
        request("From:  a@d.test\r\nSubject: two\r\n  lines \r\n\r\nbody  text \r\n\r\n\r\n")
    )
    data = _sent(kumod)
    assert dkim.verify(data, dnsfunc=lambda *_a, **_k: record.encode())
    forged = data.replace(b"Subject: two", b"Subject: six")
    assert not dkim.verify(forged, dnsfunc=lambda *_a, **_k: record.encode())
    added = data.replace(b"\r\n\r\nbody", b"\r\nCc: x@d.test\r\n\r\nbody", 1)
    assert not dkim.verify(added, dnsfunc=lambda *_a, **_k: record.encode())


def test_the_trace_header_names_the_recipient(tmp_path: Path) -> None:
    kumod = started(tmp_path, BASE)
    kumod.inject(request())
    trace = message_from_bytes(_sent(kumod))["X-KumoRef"]
    assert json.loads(base64.b64decode(trace)) == {"_@_": "\\_/", "recipient": "u@r.test"}


def test_a_bounce_becomes_an_oob_record_and_goes_no_further(tmp_path: Path) -> None:
    kumod = started(tmp_path, BASE + LISTENER)
    answer = kumod.receive_smtp("", ["a+1@bounce.d.test"], BOUNCE)
    kumod.run()
    assert answer.code == 250
    assert [r["type"] for r in kumod.records] == ["Reception", "OOB"]
    record = kumod.records[1]
    assert (record["sender"], record["recipient"]) == ("a+1@bounce.d.test", "u@r.test")
    assert record["response"]["code"] == 550
    assert record["response"]["enhanced_code"] == {"class": 5, "subject": 1, "detail": 1}
    assert record["peer_address"]["name"] == "mx.r.test"


def test_a_complaint_becomes_a_feedback_record_with_the_first_trace(tmp_path: Path) -> None:
    policy = (
        BASE
        + LISTENER
        + """
    kumo.on('http_message_generated', function(msg)
      msg:set_meta('campaign_id', 'c1')
      kumo.apply_supplemental_trace_header(msg, { include_meta_names = { 'campaign_id' } })
    end)"""
    )
    kumod = started(tmp_path, policy)
    kumod.inject(request())
    answer = kumod.receive_smtp("fbl@isp.test", ["fbl@fbl.d.test"], _abuse_report(_sent(kumod)))
    assert answer.code == 250
    (record,) = kumod.records_of("Feedback")
    report = record["feedback_report"]
    assert report["feedback_type"] == "abuse"
    assert report["original_mail_from"] == "a@d.test"
    assert report["supplemental_trace"] == {"recipient": "u@r.test"}
    assert "Subject: hello" in report["original_message"]


@pytest.mark.parametrize(
    ("recipient", "record"), [("x@other.test", "Rejection"), ("a@bounce.d.test", "Reception")]
)
def test_what_is_no_report_is_not_relayed(tmp_path: Path, recipient: str, record: str) -> None:
    kumod = started(tmp_path, BASE + LISTENER)
    answer = kumod.receive_smtp("x@y.test", [recipient], b"Subject: hi\r\n\r\nhi\r\n")
    assert (answer.code, answer.content) == (550, "5.7.1 relaying not permitted")
    assert [r["type"] for r in kumod.records] == [record]


def test_the_policys_refusal_reaches_the_client(tmp_path: Path) -> None:
    policy = (
        BASE
        + LISTENER
        + """
    kumo.on('smtp_server_message_received', function() kumo.reject(550, '5.7.1 not you') end)"""
    )
    kumod = started(tmp_path, policy)
    answer = kumod.receive_smtp("", ["a@bounce.d.test"], BOUNCE)
    assert (answer.code, answer.content) == (550, "5.7.1 not you")


def test_parts_are_built_into_a_message(tmp_path: Path) -> None:
    kumod = started(tmp_path, BASE)
    kumod.inject(
        request(
            content={
                "text_body": "Hallo {{ name }}, grüß dich",
                "html_body": "<b>{{ name }}</b>",
                "from": {"email": "a@d.test", "name": "Ä"},
                "subject": "Für {{ name }}",
                "headers": {"X-PING8-Task-Id": "{{ task }}"},
            },
            recipients=[{"email": "u@r.test", "name": "<Eva>", "substitutions": {"task": "t1"}}],
        )
    )
    data = _sent(kumod)
    assert data.isascii()
    message = message_from_bytes(data)
    parts = [part for part in message.walk() if not part.is_multipart()]
    bodies = [part.get_payload(decode=True) for part in parts]
    assert bodies[0] == "Hallo <Eva>, grüß dich".encode()
    assert bodies[1] == b"<b>&lt;Eva&gt;</b>"
    assert message["X-PING8-Task-Id"] == "t1"
    assert message["Mime-Version"] == "1.0"


def test_headers_with_unicode_are_read_decoded_and_sent_encoded(tmp_path: Path) -> None:
    policy = (
        BASE
        + """
    kumo.on('http_message_generated', function(msg)
      local from = msg:from_header()
      print(msg:get_first_named_header_value('subject'), from.name, from.email)
    end)"""
    )
    kumod = started(tmp_path, policy)
    kumod.inject(request("From: Ä B <a@d.test>\r\nSubject: Grüße\r\n\r\nx\r\n"))
    assert _sent(kumod).isascii()
    assert kumod.printed == ["Grüße\tÄ B\ta@d.test"]


def test_the_envelope_sender_can_be_moved(tmp_path: Path) -> None:
    policy = (
        BASE
        + """
    kumo.on('http_message_generated', function(msg)
      msg:set_sender(msg:sender().user .. '@bounce.' .. msg:sender().domain)
      assert(tostring(msg:sender()) == 'a@bounce.d.test')
    end)"""
    )
    kumod = started(tmp_path, policy)
    assert kumod.inject(request())["errors"] == []
    _sent(kumod)
    assert kumod.delivered_messages[0].sender == "a@bounce.d.test"
