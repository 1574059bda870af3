"""From headers that the real kumod accepts and refuses."""

import pytest

from standins.kumod.errors import KumoError
from standins.kumod.headers import AddressHeader, decode_value

GOOD = [
    "news@example.com",
    "<news@example.com>",
    "News <news@example.com>",
    '"News, Co" <news@example.com>',
    "P. Ing <news@example.com> (office)",
    "=?utf-8?q?Gr=C3=BC=C3=9Fe?= <news@example.com>",
    "News <news@bücher.example>",
    '"a b"@example.com',
]


@pytest.mark.parametrize("text", GOOD)
def test_taken(text: str) -> None:
    assert AddressHeader.parse("From", text).field("domain").startswith(("example", "bücher"))


@pytest.mark.parametrize(
    "text",
    ['"News" news@example.com', "<<news@example.com>>", "News <news@example.com", "news",
     "A: news@example.com;", "News: Co <news@example.com>", "news@example.com.", ""],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(KumoError):
        AddressHeader.parse("From", text)


def test_utf_7_stays_as_it_is() -> None:
    assert decode_value("=?utf-7?q?+AOQ-?=") == "=?utf-7?q?+AOQ-?="
