"""An owner's SPF record is kept whole, in whatever form it is shown, and ours is added."""

import pytest
import spf
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.settings.spf_terms import is_spf, looked_up, merged, spf_domain, spf_record
from policy.settings.txt import txt_value

KEPT = [
    "v=spf1",
    "v=spf1 -all",
    "v=spf1 ip4:192.0.2.0/24 mx include:%{i}._ip.%{d}._spf.vendor.example ~all",
    "V=SPF1 IP4:192.0.2.1 A MX/28 ?ALL",
    "v=spf1 +a:mail.example.org/24//64 a//64 mx:example.org -ip6:2001:db8::/32 -all",
    "v=spf1 ip6:::ffff:192.0.2.1 ptr ptr:example.org ~all",
    "v=spf1 exists:%{ir}.%{l1r+-}._spf.%{d2} -exists:%{S}.x.%{v}.example.org -all",
    "v=spf1 include:a%%b%_c%-.example.org redirect=_spf.%{d}",
    "v=spf1 redirect=_spf.example.org exp=explain.%{d}",
    "v=spf1 mx moo.cow-far_out=%{t}:x ip4:192.0.2.1 -all",
    "v=spf1 include:_spf.example.org. a:xn--bcher-kva.example. ?all",
]
REFUSED = [
    "ip4:192.0.2.0/33",
    "ip4:2001:db8::1",
    "ip6:192.0.2.1",
    "ip4",
    "ip4:",
    "include",
    "include:",
    "include:localhost",
    "include:example.123",
    "include:example.org/24",
    "include:%{i",
    "include:%{z}.example.org",
    "include:50%.example.org",
    "exists",
    "all:example.org",
    "a:",
    "a/33",
    "mx//129",
    "redirect=",
    "redirect=a.example redirect=b.example",
    "exp=a.example exp=b.example",
    "ipv4:192.0.2.1",
    "192.0.2.1",
    "~ all",
    "\u2013all",
]


@pytest.mark.parametrize("record", KEPT)
def test_a_valid_record_is_kept_word_for_word(record: str) -> None:
    kept = spf_record(record).split()[1:]
    assert kept == record.split()[1:]
    assert merged(["ours.example"], spf_record(record)) == ("include:ours.example", *kept)


@pytest.mark.parametrize("terms", REFUSED)
def test_a_record_that_receivers_would_not_evaluate_is_refused(terms: str) -> None:
    with pytest.raises(ValueError, match=r"not an SPF term|may appear only once"):
        spf_record(f"v=spf1 {terms}")


@pytest.mark.parametrize("text", ["ip4:192.0.2.1", "v=spf10 -all", "v=spf2.0/pra -all", "", "x"])
def test_what_is_no_spf_record_is_refused(text: str) -> None:
    assert not is_spf(text)
    with pytest.raises(ValueError, match="starting with v=spf1"):
        spf_record(text)


ADDRESSES = [f"192.0.2.{n}" for n in range(1, 6)]
TERMS = st.one_of(
    st.sampled_from(["a", "mx", "-mx", "exists:%{i}.list.example", "include:other.example"]),
    st.sampled_from(ADDRESSES).map(lambda one: f"ip4:{one}"),
    st.sampled_from(ADDRESSES).map(lambda one: f"-ip4:{one}"),
)
ENDS = st.sampled_from([[], ["-all"], ["~all"], ["?all"], ["redirect=other.example"]])
ZONE: dict[tuple[str, str], list[object]] = {
    ("ours.example", "TXT"): [(b"v=spf1 ip4:198.51.100.1 -all",)],
    ("other.example", "TXT"): [(b"v=spf1 ip4:192.0.2.1 -all",)],
    ("owner.example", "A"): ["192.0.2.2"],
    ("owner.example", "MX"): [(10, "mx.owner.example")],
    ("mx.owner.example", "A"): ["192.0.2.3"],
    ("192.0.2.4.list.example", "A"): ["127.0.0.2"],
}


def verdict(address: str, record: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a receiver makes of it, by pyspf."""

    def look_up(name: str, kind: str, *_: object) -> list[tuple[tuple[str, str], object]]:
        return [((name, kind), value) for value in ZONE.get((name.rstrip("."), kind), [])]

    monkeypatch.setattr(spf, "DNSLookup", look_up)
    result, _, _ = spf.query(address, "news@owner.example", "out1.example").check(spf=record)
    return str(result)


@settings(deadline=None, max_examples=60)
@given(st.lists(TERMS, max_size=5, unique=True), ENDS)
def test_ours_passes_and_every_other_address_is_judged_as_before(
    terms: list[str], end: list[str]
) -> None:
    before = spf_record(" ".join(["v=spf1", *terms, *end]))
    after = " ".join(["v=spf1", *merged(["ours.example"], before)])
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert verdict("198.51.100.1", after, monkeypatch) == "pass"
        for address in ADDRESSES:
            assert verdict(address, after, monkeypatch) == verdict(address, before, monkeypatch)


def test_a_record_that_has_ours_already_gets_it_once() -> None:
    record = spf_record("v=spf1 mx +include:OURS.example. include:x.example -all")
    assert merged(["ours.example", "x.example"], record) == (
        "include:ours.example",
        "include:x.example",
        "mx",
        "-all",
    )


@pytest.mark.parametrize(
    ("record", "count"),
    [
        ("v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 exp=x.example moo=%{d} -all", 0),
        ("v=spf1 a -mx:x.example/24 ~ptr ?exists:%{i}.example Include:y.example -all", 5),
        ("v=spf1 redirect=_spf.example.org", 1),
        ("v=spf1 redirect=_spf.example.org -all", 0),
        ("v=spf1 a a", 2),
    ],
)
def test_each_term_that_asks_dns_costs_a_look_up(record: str, count: int) -> None:
    assert len(list(looked_up(spf_record(record).split()[1:]))) == count


@pytest.mark.parametrize(
    ("shown", "value"),
    [
        ("v=spf1 -all", "v=spf1 -all"),
        ("  v=spf1 -all ", "v=spf1 -all"),
        ('"v=spf1 -all"', "v=spf1 -all"),
        ('"v=spf1 include:a.exam" "ple -all"', "v=spf1 include:a.example -all"),
        ('"v=spf1 include:a.exam""ple -all"', "v=spf1 include:a.example -all"),
        ('("v=spf1 "\n   "-all" )', "v=spf1 -all"),
        ('"v=DKIM1\\; p=abc"', "v=DKIM1; p=abc"),
        ('"say=\\"hello\\" \\\\ bye"', 'say="hello" \\ bye'),
        ('say="hello"', 'say="hello"'),
        ('""', ""),
        ("(a", "(a"),
    ],
)
def test_a_text_is_taken_as_consoles_show_it(shown: str, value: str) -> None:
    assert txt_value(shown) == value


@pytest.mark.parametrize("text", ['"v=spf1 -all', '"a" b', '"a\\"', "a\\; b", '"a\\100b"'])
def test_a_text_that_could_mean_two_things_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write "):
        txt_value(text)


def test_an_include_may_be_made_by_macros() -> None:
    assert spf_domain("%{i}._ip.%{d}._spf.vendor.example") == "%{i}._ip.%{d}._spf.vendor.example"
    assert spf_domain("_SPF.Example.org.") == "_spf.example.org"
    with pytest.raises(ValueError, match="write only a domain"):
        spf_domain("%{q}.example.org")
