"""The outside world's servers for real, on its own network."""

import json
import sys
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from sandbox import dns, world
from sandbox.authority import Authority
from sandbox.network import Cloud
from sandbox.process import run
from sandbox.world import APP_NAME, World
from sandbox.world.recipients import RECIPIENTS
from tests.sandbox.world.reports import send_report

pytestmark = pytest.mark.sandbox

_SEND = """
import smtplib, ssl, sys
host, sender, recipient, authority, name = sys.argv[1:]
with smtplib.SMTP(local_hostname="egress.mail.test", timeout=10) as session:
    session._host = name
    session.connect(host, 25)
    session.starttls(context=ssl.create_default_context(cafile=authority))
    try:
        session.sendmail(sender, [recipient], sys.stdin.read().encode("latin-1"))
        print("accepted")
    except smtplib.SMTPRecipientsRefused as refused:
        print(*refused.recipients[recipient])
"""
MESSAGE = b"From: a@accept.example\r\nSubject: One\r\nX-PING8-Task-Id: 7\r\n\r\nB\xe9\r\n"


@pytest.fixture(scope="module")
def outside(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("outside")
    cloud.up(world_addresses=(*world.addresses(), dns.SERVER))
    names = dns.Authority(folder=folder / "dns", cloud=cloud)
    made = World(
        folder=folder / "world",
        root=Path(__file__).parents[3],
        cloud=cloud,
        authority=Authority(folder=folder / "authority"),
    )
    try:
        names.start()
        names.publish("world", world.zones())
        made.start()
        yield made
    finally:
        made.stop()
        names.stop()


def deliver(outside: World, recipient: str) -> str:
    domain = recipient.partition("@")[2]
    command = outside.cloud.inside(
        outside.cloud.world,
        sys.executable,
        "-c",
        _SEND,
        RECIPIENTS[domain].address,
        "sender@accept.example",
        recipient,
        str(outside.authority.certificate),
        f"mx.{domain}",
    )
    return run(command, stdin=MESSAGE.decode("latin-1")).stdout.strip()


def last(outside: World) -> dict[str, Any]:
    return list(outside.messages())[-1]


def report(outside: World) -> Any:
    return message_from_bytes(last(outside)["message"].encode("latin-1"))


def test_an_accepted_message_is_written_down_with_how_it_came(outside: World) -> None:
    assert deliver(outside, "user@accept.example") == "accepted"
    seen = last(outside)
    assert seen["ehlo"] == "egress.mail.test"
    assert seen["tls"].startswith("TLSv1")
    assert seen["mail_from"] == "sender@accept.example"
    assert seen["peer"] in (*world.addresses(), dns.SERVER)
    assert seen["message"].encode("latin-1") == MESSAGE


@pytest.mark.parametrize(
    ("domain", "code"),
    [("defer.example", "451"), ("bounce.example", "550"), ("block.example", "554")],
)
def test_a_refused_recipient_is_written_down_with_the_answer(
    outside: World, domain: str, code: str
) -> None:
    assert deliver(outside, f"user@{domain}").startswith(code)
    assert last(outside)["answer"].startswith(code)
    assert last(outside)["message"] is None


def test_a_greylisted_recipient_is_accepted_the_second_time(outside: World) -> None:
    assert deliver(outside, "grey@greylist.example").startswith("450")
    assert deliver(outside, "grey@greylist.example") == "accepted"


def test_nothing_listens_where_a_domain_is_down(outside: World) -> None:
    script = (
        f"import socket; socket.create_connection(('{RECIPIENTS['down.example'].address}', 25))"
    )
    command = outside.cloud.inside(outside.cloud.world, sys.executable, "-c", script)
    assert "ConnectionRefusedError" in run(command, check=False).stderr


def test_a_late_bounce_goes_to_the_envelope_sender_as_a_delivery_status(outside: World) -> None:
    deliver(outside, "late@accept.example")
    said = send_report(outside, "bounce", last(outside)["id"])
    assert said == "bounce for sender@accept.example delivered to mx.accept.example"
    seen = last(outside)
    assert (seen["mail_from"], seen["recipient"]) == ("", "sender@accept.example")
    assert report(outside).get_content_type() == "multipart/report"
    _, status, original = report(outside).get_payload()
    assert status.get_content_type() == "message/delivery-status"
    assert status.get_payload()[1]["Final-Recipient"] == "rfc822; late@accept.example"
    assert original.get_payload(0)["X-PING8-Task-Id"] == "7"


def test_a_complaint_carries_the_original_message_to_a_named_address(outside: World) -> None:
    deliver(outside, "angry@accept.example")
    send_report(outside, "complaint", last(outside)["id"], to="fbl@accept.example")
    assert report(outside).get_param("report-type") == "feedback-report"
    _, fields, original = report(outside).get_payload()
    assert fields.get_content_type() == "message/feedback-report"
    assert "Original-Rcpt-To: <angry@accept.example>" in fields.as_string()
    assert original.get_payload(0)["Subject"] == "One"


def test_the_webhook_receiver_answers_under_its_name_and_certificate(outside: World) -> None:
    script = (
        "import sys, urllib.request, ssl\n"
        "context = ssl.create_default_context(cafile=sys.argv[1])\n"
        "request = urllib.request.Request(sys.argv[2], b'{}', method='POST')\n"
        "print(urllib.request.urlopen(request, context=context, timeout=10).read().decode())"
    )
    said = run(
        outside.cloud.inside(
            outside.cloud.world,
            sys.executable,
            "-c",
            script,
            str(outside.authority.certificate),
            f"https://{world.APP_ADDRESS}/api/kumo/events",
        )
    )
    assert json.loads(said.stdout) == {"ok": True}
    assert next(iter(outside.events()))["path"] == "/api/kumo/events"


def test_the_worlds_zones_name_its_servers_both_ways() -> None:
    records = {(r.name, r.type): r.values for zone in world.zones() for r in zone.records}
    assert records["defer.example", "MX"] == ("10 mx.defer.example.",)
    assert records["mx.defer.example", "A"] == ("198.51.100.26",)
    assert records["26.100.51.198.in-addr.arpa", "PTR"] == ("mx.defer.example.",)
    assert records[APP_NAME, "A"] == (world.APP_ADDRESS,)


def test_stopped_servers_are_gone_and_what_they_saw_is_not(outside: World) -> None:
    assert outside.running()
    outside.stop()
    assert not outside.running()
    assert list(outside.messages())
    outside.start()
    assert outside.running()
