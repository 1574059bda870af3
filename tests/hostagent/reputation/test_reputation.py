"""Refusals for reputation: out of kumod's logs, kept by provider and source until acknowledged."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import zstandard

from hostagent import audit
from hostagent.reputation import command, kept, reading
from hostagent.reputation.kept import WINDOW, Acknowledged, Kept, Refusals
from hostagent.reputation.refusal import Refusal, answer, masked, refusal_of

NOW = time.time()
GMAIL = (
    "Gmail has detected an unusual rate of unsolicited mail originating from your IP address. "
    "Please visit https://support.google.com/mail/?p=UnsolicitedRateLimitError to review our "
    "Bulk Email Senders Guidelines. - gsmtp"
)


def record(message: str = "m1", **changes: Any) -> dict[str, Any]:
    """As the real kumod logs an answer that was put off."""
    return {
        "type": "TransientFailure",
        "id": message,
        "recipient": "someone@gmail.com",
        "response": {
            "code": 421,
            "enhanced_code": {"class": 4, "subject": 7, "detail": 28},
            "content": GMAIL,
            "command": "RCPT TO:<someone@gmail.com>\r\n",
        },
        "peer_address": {"name": "gmail-smtp-in.l.google.com.", "addr": "192.0.2.25"},
        "timestamp": int(NOW),
        "bounce_classification": "SpamBlock",
        "egress_source": "out-1",
        "provider_name": "google",
        "reception_protocol": "HTTP",
    } | changes


def refusal(message: str = "m1", time: float = NOW, **changes: Any) -> Refusal:
    found = refusal_of(record(message, timestamp=int(time), **changes))
    assert found
    return found


def segment(logs: Path, name: str, *records: Any, done: bool = True) -> Path:
    logs.mkdir(exist_ok=True)
    path = logs / name
    lines = "".join(f"{json.dumps(one)}\n" for one in records)
    path.write_bytes(zstandard.compress(lines.encode()))
    path.chmod(0o440 if done else 0o660)
    return path


# One answer ---------------------------------------------------------------------


def test_a_refusal_has_the_words_and_the_page_of_the_provider() -> None:
    found = refusal()
    assert (found.provider, found.source, found.for_good) == ("google", "out-1", False)
    assert found.words.startswith("421 4.7.28 Gmail has detected an unusual rate")
    assert found.link == "https://support.google.com/mail/?p=UnsolicitedRateLimitError"


@pytest.mark.parametrize(
    "changes",
    [
        {"bounce_classification": "InvalidRecipient"},
        {"type": "Delivery"},
        {"type": "AdminBounce"},
        {"reception_protocol": "LogRecord"},
    ],
)
def test_other_records_are_no_refusals(changes: dict[str, Any]) -> None:
    assert refusal_of(record(**changes)) is None


def test_a_receiver_that_kumomta_does_not_know_is_other() -> None:
    logged = record()
    del logged["provider_name"]
    found = refusal_of(logged)
    assert found
    assert found.provider == "other"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<ann.lee+x@example.net>: blocked", "<(address)>: blocked"),
        ("https://x.example/?r=ann%40example.net&l=1", "https://x.example/?r=(address)&l=1"),
        ("forward this to delist@microsoft.com", "forward this to delist@microsoft.com"),
        ("no address @ all", "no address @ all"),
    ],
)
def test_words_have_no_address_of_a_person(said: str, shown: str) -> None:
    assert masked(said) == shown


def test_what_is_kept_of_a_record_has_no_address_of_its_recipient() -> None:
    said = {"code": 550, "content": "<someone@gmail.com>: blocked, see https://x.example/?r=a@b.cd"}
    found = refusal(response=said)
    assert found.words == "550 <(address)>: blocked, see https://x.example/?r=(address)"
    assert "someone" not in repr(found)


def test_words_of_strangers_are_short_and_safe_for_a_terminal() -> None:
    said = answer({"code": 550, "content": "\x1b[2J" + "a" * 5000 + "\n@"})
    assert "\x1b" not in said
    assert len(said) == 500
    assert masked("a@" * 1000)


# What is kept -------------------------------------------------------------------


def test_some_messages_within_an_hour_open_it_and_retries_of_one_do_not() -> None:
    found = Refusals()
    for _ in range(5):
        found.add(refusal("m1"), 3)
    assert not found.alarming()
    found.add(refusal("m2"), 3)
    found.add(refusal("m3", provider_name="yahoo"), 3)
    found.add(refusal("m3", egress_source="out-2"), 3)
    assert not found.alarming()
    found.add(refusal("m3"), 3)
    (one,) = found.alarming()
    assert (one.provider, one.source, one.for_now, one.for_good) == ("google", "out-1", 7, 0)


def test_a_few_over_days_are_no_alarm(tmp_path: Path) -> None:
    found = Refusals()
    for number in range(9):
        moment = NOW + number * (WINDOW + 1)
        assert reading.look(tmp_path, found, 3, moment) == []
        found.add(refusal(f"m{number}", moment), 3)
    assert [one.messages for one in found.kept] == [["m8"]]


def opened(count: int = 3) -> Refusals:
    found = Refusals()
    for number in range(count):
        found.add(refusal(f"m{number}"), 3)
    return found


def test_it_stays_open_until_somebody_acknowledges_it_and_then_for_its_time() -> None:
    found = opened()
    found.forget(NOW + 1000 * WINDOW)
    assert found.alarming()
    note = Acknowledged("ann", "delisting asked for", NOW, NOW + 86400)
    assert found.acknowledge("google", None, note) == found.kept
    assert not found.alarming()
    found.add(refusal("m9", NOW + 10), 3)
    assert (len(found.kept), found.kept[0].for_now) == (1, 4)
    assert not found.alarming()
    found.forget(NOW + 86401)
    assert not found.kept
    for number in range(3):
        found.add(refusal(f"n{number}", NOW + 86500), 3)
    assert found.alarming()


def test_the_list_is_no_longer_than_pairs_and_messages_to_the_alarm() -> None:
    found = opened(500)
    assert len(found.kept) == 1
    assert len(found.kept[0].messages) == 3


def test_what_is_kept_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "reputation.json"
    with kept.changed(path) as found:
        for number in range(3):
            found.add(refusal(f"m{number}"), 3)
        found.acknowledge("google", "out-1", Acknowledged("ann", "why", NOW, NOW + 1))
        found.read.append("20261128-120000.1")
    assert kept.read(path) == found
    path.write_text('{"read": 1}')
    assert kept.read(path) == Refusals()


# Logs ---------------------------------------------------------------------------


def test_each_finished_segment_is_read_once(tmp_path: Path) -> None:
    logs, known = tmp_path / "logs", Refusals()
    segment(logs, "20261128-120000.1", record("m1"), record("m2", type="Bounce"), {"type": "X"})
    writing = segment(logs, "20261128-120500.1", record("m3"), done=False)
    assert [one.for_good for one in reading.look(logs, known, 3, NOW)] == [False, True]
    assert reading.look(logs, known, 3, NOW) == []
    writing.chmod(0o440)
    assert len(reading.look(logs, known, 3, NOW)) == 1
    assert known.alarming()
    (logs / "20261128-120000.1").unlink()
    reading.look(logs, known, 3, NOW)
    assert known.read == ["20261128-120500.1"]


def test_torn_segments_and_odd_lines_hide_nothing(tmp_path: Path) -> None:
    logs, known = tmp_path / "logs", Refusals()
    path = segment(logs, "20261128-120000.1", record("m1"), ["SpamBlock"], {"a": "SpamBlock"})
    whole = zstandard.compress(b'{"SpamBlock\n' + f"{json.dumps(record('m2'))}\n".encode())
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + whole + b"\x28\xb5\x2f\xfd")
    path.chmod(0o440)
    assert [one.message for one in reading.look(logs, known, 3, NOW)] == ["m1", "m2"]


def test_old_segments_are_left_alone(tmp_path: Path) -> None:
    segment(tmp_path / "logs", "20261128-120000.1", record())
    assert reading.look(tmp_path / "logs", Refusals(), 3, NOW + 7200) == []


def test_a_look_ends_in_time_and_the_next_one_goes_on(tmp_path: Path) -> None:
    logs, known = tmp_path / "logs", Refusals()
    for number in range(3):
        segment(logs, f"20261128-12000{number}.1", record(f"m{number}"), {"type": "Delivery"})
    times = iter([0.0, 1.0, 1.0, 11.0, 11.0])
    found = reading.look(logs, known, 3, NOW, clock=lambda: next(times))
    assert [one.message for one in found] == ["m0"]
    assert [one.message for one in reading.look(logs, known, 3, NOW)] == ["m1", "m2"]


def test_a_segment_that_takes_too_long_is_left_and_never_read_again(tmp_path: Path) -> None:
    logs, known = tmp_path / "logs", Refusals()
    lines = [record("m1"), *[{"type": "Delivery"}] * 1000, record("m2")]
    segment(logs, "20261128-120000.1", *lines)
    times = iter([0.0, 1.0, 1.0, *[2.0] * 500, *[11.0] * 9])
    found = reading.look(logs, known, 3, NOW, clock=lambda: next(times))
    assert [one.message for one in found] == ["m1"]
    assert reading.look(logs, known, 3, NOW) == []


# The verb -----------------------------------------------------------------------


def ask(path: Path, *words: str) -> int:
    return command.main(words, path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "reputation.json"
    with kept.changed(place) as found:
        for number in range(3):
            for source in ("out-1", "out-2"):
                found.add(refusal(f"m{number}", egress_source=source), 3)
    return place


def listed(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert ask(path, "list") == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["refusals"]
    return found


def test_an_operator_acknowledges_one_source_or_all(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--provider", "google", "--reason", "asked Google", "--by", "ann", "--for", "2h")
    assert ask(path, "acknowledge", *words, "--source", "out-2") == 0
    capsys.readouterr()
    notes = {one["source"]: one["acknowledged"] for one in listed(path, capsys)}
    assert notes["out-1"] is None
    assert (notes["out-2"]["by"], notes["out-2"]["reason"]) == ("ann", "asked Google")
    assert notes["out-2"]["until"] - notes["out-2"]["at"] == 7200
    assert ask(path, "acknowledge", *words) == 0
    assert not kept.read(path).alarming()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--provider", "google"), "needs a reason"),
        (("--provider", "gogle", "--reason", "x"), "name one of: google out-1, google out-2"),
        (
            ("--provider", "google", "--source", "out-9", "--reason", "x"),
            "google does not refuse out-9",
        ),
        (("--provider", "google", "--reason", "x", "--for", "8d"), "too long"),
        (("--provider", "google", "--reason", "x", "--for", "soon"), "no duration"),
    ],
)
def test_an_acknowledgement_that_means_nothing_is_rejected(
    path: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = path.read_bytes()
    assert ask(path, "acknowledge", *words) == 1
    assert said in capsys.readouterr().err
    assert path.read_bytes() == before


def test_an_acknowledgement_is_in_the_audit_log_and_a_look_is_not() -> None:
    assert audit.is_audited("reputation", ["acknowledge", "--provider", "google"])
    assert not audit.is_audited("reputation", ["list"])


def test_what_is_kept_has_no_field_that_grows() -> None:
    one = Kept(provider="google", source="out-1", first=NOW)
    for number in range(10_000):
        one.add(refusal(f"m{number}"), 3)
    assert len(json.dumps(vars(one))) < 2000
