"""Names have one form, however they are written."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.settings import names, urls

LABELS = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\Z").filter(
    lambda label: label[2:4] != "--" and not label.isdigit()
)
NAMES = st.lists(LABELS, min_size=2, max_size=6).map(".".join)


@settings(deadline=None)
@given(NAMES, st.randoms(use_true_random=False))
def test_case_and_the_last_dot_make_no_difference(name: str, chance: random.Random) -> None:
    written = "".join(chance.choice([letter.upper(), letter]) for letter in name)
    assert names.host_name(f"{written}.") == name


@settings(deadline=None)
@given(st.one_of(NAMES, st.text()))
def test_a_normalised_name_stays_as_it_is(text: str) -> None:
    try:
        once = names.host_name(text)
    except names.InvalidNameError:
        return
    assert names.host_name(once) == once
    assert once.isascii()
    assert len(once) <= 253
    assert all(0 < len(label) <= 63 for label in once.split("."))


@pytest.mark.parametrize(
    "written", ["Bücher.example", "BÜCHER.Example.", "bücher。example", "\uff42ücher.example"]
)
def test_an_internationalised_name_has_its_idna_form(written: str) -> None:
    assert names.host_name(written) == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("example", "full name"),
        ("192.0.2.1", "IP address"),
        ("a..example", "empty label"),
        ("-a.example", "letters, digits"),
        ("a_b.example", "letters, digits"),
        ("a b.example", "letters, digits"),
        (f"{'a' * 64}.example", "63 characters"),
        (".".join(["a" * 60] * 5), "253 characters"),
        ("xn--zzzzzz.example", "not valid IDNA"),
        ("\u2014.example", "internationalised"),
        ("", "full name"),
    ],
)
def test_an_invalid_name_is_refused_with_its_fix(written: str, fix: str) -> None:
    with pytest.raises(names.InvalidNameError, match=fix):
        names.host_name(written)


def test_blanks_around_a_name_make_no_difference() -> None:
    assert names.host_name(" example.com\n") == "example.com"


def test_a_name_lies_in_its_zone_by_labels_not_by_letters() -> None:
    assert names.lies_in("mail.example.com", "example.com")
    assert names.lies_in("example.com", "example.com")
    assert not names.lies_in("badexample.com", "example.com")


def test_only_record_names_may_have_underscores() -> None:
    assert names.record_name("_SPF.Example.com") == "_spf.example.com"
    with pytest.raises(names.InvalidNameError):
        names.label("_s1")
    with pytest.raises(names.InvalidNameError, match="without dots"):
        names.label("s1.x")


@pytest.mark.parametrize(
    "written",
    [
        "https://bücher.example/api/Kumo?a=B",
        "HTTPS://BÜCHER.example./api/Kumo?a=B",
        " https://xn--BCHER-kva.Example/api/Kumo?a=B",
    ],
)
def test_the_host_of_a_url_has_the_form_of_names_and_the_rest_stays(written: str) -> None:
    assert urls.https_url(written) == "https://xn--bcher-kva.example/api/Kumo?a=B"
    assert urls.https_url("https://App.example:8443/") == "https://app.example:8443/"
