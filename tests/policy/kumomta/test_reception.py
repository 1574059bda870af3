"""Reception by HTTP: whose mail is taken, and what is done to it."""

import base64
import email
import email.policy
import email.utils
import json
import re
from collections import Counter
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lupa.lua54 import LuaRuntime

from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import CORRELATION, Mta

Host = Callable[..., Mta]


def message(mta: Mta, number: int = 0) -> EmailMessage:
    """A message as it reached the recipient's server."""
    parsed = email.message_from_bytes(mta.sent[number].data, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_mail_leaves_through_the_proxy_with_its_private_address_and_ehlo_name(mta: Mta) -> None:
    mta.inject()
    mta.kumod.run()
    (attempt,) = mta.sent
    source = mta.addresses.sources["proxy-default"]
    assert attempt.socks5_server == f"{source.private}:5000"
    assert attempt.source_address == source.private
    assert attempt.ehlo == "out1.mail.example.com"
    assert (attempt.port, attempt.tls) == (25, "OpportunisticInsecure")


def test_an_unknown_sender_domain_is_refused_with_a_5xx_that_names_it(mta: Mta) -> None:
    result = mta.inject(headers={"From": "x@elsewhere.example"})
    assert result["fail_count"] == 1
    assert "550 5.7.1 sender domain elsewhere.example is not one of ours" in result["errors"][0]
    mta.kumod.run()
    assert mta.sent == []


RECORDED = {
    "success_count": 0,
    "fail_count": 1,
    "failed_recipients": ["u@[203.0.113.25]"],
    "errors": [
        "u@[203.0.113.25]: 451 4.7.1 sender domain example.com is held until its DNS records are "
        "published: see `ping8 domains check`; try again later"
    ],
}
"""What the kumod of August 2026 answered, with status 200, for this policy with this domain held.

Lua's stack trace follows in the lines after the first.
"""


def test_a_held_sender_domain_is_refused_for_now_and_nothing_leaves_unsigned(host: Host) -> None:
    mta = host(settings=settings(unpublished=["example.com"])).start()
    result = mta.inject(recipients=("u@[203.0.113.25]",))
    first_lines = [error.partition("\n")[0] for error in result["errors"]]
    assert {**result, "errors": first_lines} == RECORDED
    mta.kumod.run()
    assert mta.sent == []


@pytest.mark.parametrize("when", ["sign-anyway", "refuse"])
def test_an_unpublished_sender_domain_that_is_not_held_is_signed(host: Host, when: str) -> None:
    """`refuse` has let no update pass that adds such a domain."""
    domains = [{"name": "example.com", "when_unpublished": when}]
    mta = host(settings=settings(domains=domains, unpublished=["example.com"])).start()
    assert mta.inject()["success_count"] == 1
    mta.kumod.run()
    assert message(mta)["DKIM-Signature"]


def test_a_domain_is_ready_and_held_within_a_push_and_what_is_queued_leaves(host: Host) -> None:
    mta = host(settings=settings(unpublished=["example.com"])).start()
    assert mta.inject()["fail_count"] == 1
    mta.settings = settings()
    mta.write_files()
    mta.kumod.advance(10)
    assert mta.inject()["success_count"] == 1
    mta.settings = settings(unpublished=["example.com"])
    mta.write_files()
    mta.kumod.advance(10)
    assert mta.inject()["fail_count"] == 1
    mta.kumod.run()
    assert len(mta.sent) == 1
    assert message(mta)["DKIM-Signature"], "it was signed when the key was in DNS"


def test_a_subdomain_is_another_sender_domain(mta: Mta) -> None:
    assert mta.inject(headers={"From": "x@news.example.com"})["fail_count"] == 1


def test_the_case_of_a_sender_domain_does_not_matter(mta: Mta) -> None:
    assert mta.inject(headers={"From": "x@EXAMPLE.com"})["success_count"] == 1


def test_an_unknown_sender_is_accepted_unsigned_on_the_default_pool_by_setting(host: Host) -> None:
    mta = host(settings=settings(reception={"unknown_senders": "accept"})).start()
    mta.inject(headers={"From": "x@elsewhere.example"}, sender="x@elsewhere.example")
    mta.kumod.run()
    assert mta.sent[0].source == "proxy-default"
    assert mta.sent[0].sender == "x@elsewhere.example"
    assert message(mta)["DKIM-Signature"] is None
    assert mta.events("Delivery")[0]["egress_pool"] == "shared-default"


@pytest.mark.parametrize("value", ["", "nobody", "a@example.com, b@example.com", "@example.com"])
def test_mail_without_one_valid_from_address_is_refused(mta: Mta, value: str) -> None:
    result = mta.inject(headers={"From": value})
    assert result["fail_count"] == 1
    assert "550 5." in result["errors"][0]


def test_the_brand_becomes_the_tenant_with_its_own_pool(host: Host) -> None:
    mta = host(
        settings=settings(
            sources=[
                {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
                {"name": "shop", "proxy": "proxy-1", "ehlo": "shop1"},
            ],
            pools=[
                {"name": "shared-default", "sources": {"proxy-default": 1}},
                {"name": "shop", "sources": {"shop": 1}},
            ],
            brands=[
                {"name": "default", "pool": "shared-default"},
                {"name": "shop", "pool": "shop", "isolated": True},
            ],
            domains=[{"name": "example.com"}, {"name": "shop.example", "brand": "shop"}],
        )
    ).start()
    mta.inject()
    mta.inject(headers={"From": "x@shop.example"})
    mta.kumod.run()
    assert {attempt.source for attempt in mta.sent} == {"proxy-default", "shop"}
    assert {event["queue"] for event in mta.events("Delivery")} == {
        "default@example.net",
        "shop@example.net",
    }


@pytest.mark.parametrize(
    ("given_sender", "expected"),
    [
        ("7@elsewhere.example", "7@bounce.example.com"),
        ("7@example.com", "7@bounce.example.com"),
        ("7@bounce.example.com", "7@bounce.example.com"),
        ("7+tag=x@Example.com", "7+tag=x@bounce.example.com"),
        ('"a b"@example.com', '"a b"@bounce.example.com'),
        ("", ""),
    ],
)
def test_the_envelope_sender_moves_to_the_bounce_domain_with_its_local_part(
    mta: Mta, given_sender: str, expected: str
) -> None:
    assert mta.inject(sender=given_sender)["success_count"] == 1
    mta.kumod.run()
    assert mta.sent[0].sender == expected


def test_an_envelope_sender_at_another_of_our_bounce_domains_that_aligns_stays(host: Host) -> None:
    mta = host(
        settings=settings(domains=[{"name": "example.com"}, {"name": "news.example.com"}])
    ).start()
    mta.inject(sender="7@bounce.news.example.com")
    mta.kumod.run()
    assert mta.sent[0].sender == "7@bounce.news.example.com"


def test_an_envelope_sender_at_a_bounce_domain_that_does_not_align_moves(host: Host) -> None:
    mta = host(
        settings=settings(domains=[{"name": "example.com"}, {"name": "example.org"}])
    ).start()
    mta.inject(sender="7@bounce.example.org")
    mta.kumod.run()
    assert mta.sent[0].sender == "7@bounce.example.com"


def test_the_envelope_sender_stays_by_setting(host: Host) -> None:
    mta = host(settings=settings(reception={"envelope_sender": "keep"})).start()
    mta.inject(sender="7@elsewhere.example")
    mta.kumod.run()
    assert mta.sent[0].sender == "7@elsewhere.example"


def test_date_and_message_id_are_added_when_missing_and_kept_when_given(mta: Mta) -> None:
    mta.inject()
    mta.inject(headers={"Date": "Mon, 02 Feb 2026 03:00:00 +0000", "Message-ID": "<a@example.com>"})
    mta.kumod.run()
    added, given = message(mta, 0), message(mta, 1)
    moment = email.utils.parsedate_to_datetime(added["Date"])
    assert abs(moment.timestamp() - mta.kumod.clock.now()) < 60
    assert re.fullmatch(r"<[^@<> ]+@example\.com>", added["Message-ID"])
    assert given["Message-ID"] == "<a@example.com>"
    assert len(given.get_all("Date", [])) == len(given.get_all("Message-ID", [])) == 1


def test_every_event_of_a_message_carries_its_correlation_values(mta: Mta) -> None:
    mta.inject(headers={"Subject": "=?utf-8?q?Gr=C3=BC=C3=9Fe?="})
    mta.kumod.run()
    kinds = set()
    for event in mta.events():
        kinds.add(event["type"])
        assert event["headers"] == {"Subject": "Grüße", **CORRELATION}
        assert event["meta"] == {}
    assert kinds == {"Reception", "Delivery"}


def test_missing_headers_are_counted_in_the_local_logs(mta: Mta) -> None:
    mta.inject(headers={"X-PING8-Task-Id": "", "X-PING8-Api-Log-Id": ""})
    mta.kumod.run()
    (reception, _) = mta.events()
    assert reception["headers"].keys().isdisjoint({"X-PING8-Task-Id", "ping8_missing"})
    mta.kumod.stop()
    logged = mta.local_logs()
    about_the_message = [r for r in logged if r["reception_protocol"] == "HTTP"]
    assert {record["meta"]["ping8_missing"] for record in about_the_message} == {
        "X-PING8-Task-Id, X-PING8-Api-Log-Id"
    }


def test_missing_headers_are_refused_by_setting(host: Host) -> None:
    mta = host(settings=settings(reception={"missing_headers": "refuse"})).start()
    assert mta.inject()["success_count"] == 1
    refused = mta.inject(headers={"X-PING8-Task-Id": ""})
    assert "550 5.6.0 headers missing: X-PING8-Task-Id" in refused["errors"][0]


@pytest.mark.parametrize(
    "name", ["From", "Subject", "To", "X-PING8-Campaign-Id", "List-Unsubscribe"]
)
def test_a_header_that_may_occur_once_is_refused_twice(mta: Mta, name: str) -> None:
    fields = {
        "From": "news@example.com",
        "To": "u@example.net",
        "Subject": "Hello",
        "List-Unsubscribe": "<https://example.com/u>",
        **CORRELATION,
    }
    lines = [f"{key}: {value}" for key, value in fields.items()]
    content = "\r\n".join([*lines, f"{name}: {fields[name]}", "", "body"])
    refused = mta.inject_raw(content)
    assert f"550 5.6.0 header {name} is repeated" in refused["errors"][0]


def test_a_line_break_in_a_substitution_cannot_add_a_header(mta: Mta) -> None:
    answered = mta.kumod.inject(
        {
            "envelope_sender": "7@example.com",
            "recipients": [
                {
                    "email": "u@example.net",
                    "substitutions": {"name": "Eve\r\nFrom: boss@example.com\r\nSubject: Pay"},
                }
            ],
            "content": "From: news@example.com\r\nTo: u@example.net\r\n"
            "Subject: Hello {{ name }}\r\n\r\nbody",
        }
    )
    assert answered["fail_count"] == 1
    assert "is repeated" in answered["errors"][0]


def test_a_forged_trace_header_is_replaced(mta: Mta) -> None:
    forged = base64.b64encode(json.dumps({"_@_": "\\_/", "X-PING8-Task-Id": "forged"}).encode())
    mta.inject(headers={"X-KumoRef": forged.decode()})
    mta.kumod.run()
    traces = [
        json.loads(base64.b64decode(value)) for value in message(mta).get_all("X-KumoRef", [])
    ]
    assert [trace["X-PING8-Task-Id"] for trace in traces if "X-PING8-Task-Id" in trace] == [
        "task-2"
    ]


def test_the_trace_header_holds_no_personal_data_beyond_kumomtas(mta: Mta) -> None:
    mta.inject(headers={"Subject": "Dear Jane Doe"})
    mta.kumod.run()
    for value in message(mta).get_all("X-KumoRef", []):
        trace = json.loads(base64.b64decode(value))
        assert set(trace) <= {"_@_", "recipient", "ping8_mac", *CORRELATION}


# A header is text on one line; the injection API takes JSON, so no lone surrogates.
_HEADER_TEXT = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=80
).filter(lambda text: text.strip() == text and "=?" not in text)


@hypothesis_settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=_HEADER_TEXT)
def test_any_header_value_reaches_the_event_unharmed(mta: Mta, value: str) -> None:
    before = len(mta.posts())
    result = mta.inject(headers={"X-PING8-Campaign-Id": value, "Subject": value})
    assert result["success_count"] == 1
    mta.kumod.run()
    for request in mta.posts()[before:]:
        headers = json.loads(request.body)["headers"]
        assert headers["X-PING8-Campaign-Id"] == value
        assert headers["Subject"] == value


_LOCAL_PART = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, blacklist_characters='@"\\<>()[],;:'),
    min_size=1,
    max_size=40,
)


@hypothesis_settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(local=_LOCAL_PART)
def test_any_local_part_moves_unharmed_or_is_refused(mta: Mta, local: str) -> None:
    before = len(mta.sent)
    if mta.inject(sender=f"{local}@elsewhere.example")["fail_count"]:
        return
    mta.kumod.run()
    sender = mta.sent[before].sender
    user, _, domain = sender.rpartition("@")
    assert domain == "bounce.example.com"
    assert user in (local, f'"{local}"')


@hypothesis_settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=_HEADER_TEXT)
def test_any_from_header_is_taken_or_refused_clearly(mta: Mta, value: str) -> None:
    for address in (value, f"{value} <news@example.com>", f"news@{value}"):
        result = mta.inject(headers={"From": address})
        refused = "".join(result["errors"])
        assert result["success_count"] or re.search("550 5\\.|Invalid header", refused)


@pytest.mark.parametrize(
    ("recipient", "taken"),
    [
        ("anybody@example.net", True),
        ("Tester@EXAMPLE.org", True),
        ("other@example.org", False),
        ("u@sub.example.net", False),
    ],
)
def test_only_the_named_recipients_get_mail(host: Host, recipient: str, taken: bool) -> None:
    only = {"recipients": {"only": ["Example.net", "tester@example.org"]}}
    mta = host(settings=settings(reception=only)).start()
    answer = mta.inject(recipients=(recipient,))
    mta.kumod.run()
    assert answer["success_count"] == int(taken)
    assert len(mta.sent) == int(taken)
    if not taken:
        assert f"recipient {recipient.lower()} is not among those" in answer["errors"][0]


def test_nobody_can_forge_an_event_by_a_message_to_the_webhooks_queue(mta: Mta) -> None:
    answer = mta.inject(recipients=("x@Ping8.Log-Hook",))
    mta.kumod.run()
    assert "5.1.2" in answer["errors"][0]
    assert {event["type"] for event in mta.events()} <= {"Rejection"}


@pytest.mark.parametrize("kept", ["keep", "strip"])
def test_correlation_headers_can_stay_here_while_the_trace_carries_them(
    host: Host, kept: str
) -> None:
    mta = host(settings=settings(reception={"correlationHeaders": kept})).start()
    mta.inject()
    mta.kumod.run()
    data = mta.sent[0].data
    assert (b"X-PING8-" in data) is (kept == "keep")
    (delivery,) = mta.events("Delivery")
    assert delivery["headers"]["X-PING8-Campaign-Id"] == "campaign-1"
    traces = [
        json.loads(base64.b64decode("".join(value.split())))
        for name, value in email.message_from_bytes(data).items()
        if name == "X-KumoRef"
    ]
    assert traces[-1]["X-PING8-Task-Id"] == "task-2"


def calls_about_headers(mta: Mta, **changes: Any) -> dict[str, int]:
    before = Counter(mta.kumod.counters)
    answer = mta.inject_raw(**changes) if "content" in changes else mta.inject(**changes)
    assert answer["success_count"] == 1
    calls = Counter(mta.kumod.counters) - before
    return {
        name.removeprefix("Message:"): count for name, count in calls.items() if "header" in name
    }


def test_kumod_parses_no_header_but_from_where_all_are_plain(mta: Mta) -> None:
    calls = calls_about_headers(mta)
    assert {name for name in calls if "get" in name or "remove" in name} == set()
    assert calls["from_header"] == 1


@pytest.mark.parametrize(
    ("written", "value"),
    [("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"), ("Grüße", "Grüße")],
)
def test_a_value_that_is_encoded_is_read_by_kumod(mta: Mta, written: str, value: str) -> None:
    calls = calls_about_headers(mta, headers={"Subject": written})
    assert calls["get_first_named_header_value"] == 1
    assert "get_all_headers" not in calls
    mta.kumod.run()
    assert {event["headers"]["Subject"] for event in mta.events()} == {value}


@pytest.mark.parametrize(
    ("block", "names"),
    [
        ("A: 1\r\nB:2\r\n\r\nC: body\r\n", "a=1 b=2"),
        ("A:\r\nA: second\r\n\r\n", "a= again"),
        ("A: folded\r\n\tB: 2\r\nC: 3\r\n\r\n", "a=? c=3"),
        ("A: =?x?\r\nB: two  spaces\r\nC: \tt\r\nD: end \r\n\r\n", "a=? b=? c=? d=?"),
        ("A : 1\r\n\r\n", "kumod"),
        ("A\r\n\r\n", "kumod"),
        (" A: 1\r\n\r\n", "kumod"),
        ("A: lone\rB: 2\r\n\r\n", "kumod"),
        ("A: no end", "kumod"),
        ("\r\nA: body\r\n", "kumod"),
    ],
)
def test_headers_are_read_as_kumod_does_or_left_to_it(block: str, names: str) -> None:
    lua = LuaRuntime()
    lua.execute(f"headers = (function() {Path('policy/kumomta/headers.lua').read_text()} end)()")
    found = lua.eval("""function(text)
      local parts, all = {}, {{'kumod', false}}
      local msg = {
        get_data = function() return text end, get_all_headers = function() return all end,
        get_first_named_header_value = function() return '?' end,
      }
      local found = headers.of(msg, text, function() parts[#parts + 1] = 'again' end)
      for name in pairs(found) do
        local value = headers.value(msg, found, name)
        parts[#parts + 1] = value and name .. '=' .. value or name
      end
      table.sort(parts, function(a, b) return (a == 'again' and '~' or a) < b end)
      return table.concat(parts, ' ')
    end""")
    assert found(block) == names
