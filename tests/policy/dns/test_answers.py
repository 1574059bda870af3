"""Answers of DNS beside a stack file, and what they decide."""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from policy.dns import answers, plan
from policy.dns.answers import Answer
from policy.errors import UserError
from policy.settings import Settings
from policy.settings.domains import SenderDomain
from tests.examples import SMALL, settings_of

DATE = datetime.date(2026, 11, 29)
ELSEWHERE = {
    "keys of a brand": {"name": "news.example", "dkim": {"keys": "brand"}},
    "keys of its own": {"name": "news.example"},
    "the second selector signs": {"name": "news.example", "dkim": {"active": "s2"}},
    "two kinds of keys": {"name": "news.example", "dkim": {"ed25519": True}},
    "a bounce domain of its own": {"name": "a.news.example", "bounce": "back.news.example"},
    "a feedback domain of its own": {"name": "news.example", "feedback": "spam.news.example"},
    "SPF of its own": {"name": "news.example", "spf": {"otherTxt": ["x=y"]}},
}


def settings(*domains: dict[str, Any], **more: Any) -> Settings:
    return settings_of(SMALL, domains=list(domains), **more)


def answer(of: Settings, *, without: Iterable[str] = ()) -> Answer:
    """What DNS answers if the owner of the first domain has published all, `without` some."""
    domain = of.domains[0]
    seen: dict[str, list[str]] = {}
    for record in answers.questions(of, domain):
        values = seen.setdefault(answers.key_of(domain.name, record), [])
        values.append("ns-1.awsdns-1.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 60")
        if record.type != "SOA":
            values[-1:] = [record.value]
    return Answer(domain=domain.name, since=DATE, seen={**seen, **{key: [] for key in without}})


def is_unpublished(of: Settings, *found: Answer) -> bool:
    return bool(answers.unpublished(of, {one.domain: one for one in found}))


@pytest.mark.parametrize("domain", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_domain_elsewhere_waits_for_its_signing_keys_and_its_bounce_domain(
    domain: dict[str, Any],
) -> None:
    of = settings(domain)
    full = answer(of)
    signing = {
        f"{selector}._domainkey CNAME" for selector, _ in of.dkim_of(of.domains[0]).signing()
    }
    bounce = "back.news.example. CNAME" if "bounce" in domain else "bounce CNAME"
    waits = {key for key in full.seen if is_unpublished(of, answer(of, without=[key]))}
    assert waits == {*signing, bounce}
    assert is_unpublished(of), "nobody asked yet"
    assert not is_unpublished(of, full)


def test_an_alias_of_another_brand_is_not_published() -> None:
    before = settings({"name": "news.example", "dkim": {"keys": "brand"}})
    brands = [
        {"name": "default", "pool": "shared-default"},
        {"name": "shop", "pool": "shared-default"},
    ]
    moved = {"name": "news.example", "brand": "shop", "dkim": {"keys": "brand"}}
    assert is_unpublished(settings(moved, brands=brands), answer(before))


def test_without_our_envelope_sender_no_bounce_domain_is_needed() -> None:
    of = settings({"name": "news.example"}, reception={"envelopeSender": "keep"})
    assert not is_unpublished(of, answer(of, without=["bounce CNAME"]))


def test_a_domain_in_route_53_waits_only_for_a_zone_that_is_seen_not_to_be_delegated() -> None:
    of = settings({"name": "example.com", "zone": "example.com"})
    assert not is_unpublished(of), "the first update publishes its records"
    assert not is_unpublished(of, answer(of))
    assert is_unpublished(of, answer(of, without=["example.com. SOA"]))
    other = ["ns1.other.example. hostmaster.other.example. 1 7200 900 1209600 60"]
    elsewhere = Answer(domain="example.com", since=DATE, seen={"example.com. SOA": other})
    assert is_unpublished(of, elsewhere)


def test_a_trial_asks_for_no_delegation() -> None:
    of = settings({"name": "ping8.test", "zone": "ping8.test"}, zone="mail.ping8.test")
    assert answers.questions(of, of.domains[0]) == ()


def test_domains_with_the_keys_of_a_brand_are_judged_as_if_alone() -> None:
    """What is worked out once for a brand is what each of its domains needs."""
    domains = [{"name": f"d{n}.example", "dkim": {"keys": "brand"}} for n in range(3)]
    of = settings(*domains)

    def needs(domain: SenderDomain) -> list[str]:
        return [answers.key_of(domain.name, one) for one in answers.needed(of, domain)]

    assert all(plan.is_elsewhere(of, domain) for domain in of.domains)
    assert needs(of.domains[0]) == needs(of.domains[2]) == ["s1._domainkey CNAME", "bounce CNAME"]


def test_a_file_is_read_as_it_was_written_in_order_of_names(tmp_path: Path) -> None:
    found = [
        Answer(
            domain=name, since=DATE, seen={"s1._domainkey CNAME": ["x.example"], "bounce CNAME": []}
        )
        for name in ("b.example", "a.example")
    ]
    path = answers.file_of("prod", tmp_path)
    path.write_text(answers.text_of(found), "utf-8")
    assert list(answers.read(path)) == ["a.example", "b.example"]
    assert list(answers.read(path).values()) == found[::-1]


def test_no_file_is_no_answer(tmp_path: Path) -> None:
    assert answers.read(answers.file_of("prod", tmp_path)) == {}


GOOD = answers.line_of(Answer(domain="a.example", since=DATE, seen={"bounce CNAME": []}))
WRONG = {
    "no JSON": ("hello\n", "line 1 = hello"),
    "a merge conflict": (f"<<<<<<< HEAD\n{GOOD}", "line 1 = <<<<<<< HEAD"),
    "an empty line": (f"{GOOD}\n", "line 2"),
    "another form": ('{"name": "a.example"}\n', 'line 1 = {"name": "a.example"}: domain:'),
    "no date": (GOOD.replace("2026-11-29", "yesterday"), "since:"),
    "values that are no list": (GOOD.replace("[]", "true"), "seen.bounce CNAME:"),
    "a domain twice": (GOOD * 2, "line 2 = a.example: it is listed twice"),
    "half a line": (GOOD[:20], "line 1 = "),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_line_is_one_error_with_place_value_and_fix(
    text: str, said: str, tmp_path: Path
) -> None:
    path = answers.file_of("prod", tmp_path)
    path.write_text(text, "utf-8")
    with pytest.raises(UserError) as error:
        answers.read(path)
    message = str(error.value)
    assert "\n" not in message
    assert said in message
    assert message.startswith(f"{tmp_path.name}/prod.published.jsonl line ")
    assert "keep the newer line" in message or "run `ping8 domains check`" in message


def test_a_file_that_cannot_be_read_is_one_error(tmp_path: Path) -> None:
    path = answers.file_of("prod", tmp_path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"not in UTF-8: restore the file"):
        answers.read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="directory: restore the file"):
        answers.read(path)
