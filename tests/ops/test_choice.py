"""Names in a command line."""

import pytest

from ops.choice import chosen
from policy.errors import UsageError


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (["shop.example", "news.example"], "did you mean shop.example?"),
        (["b", "a"], "use one of: a, b"),
        ([], "define it first"),
    ],
)
def test_an_unknown_name_is_rejected_with_what_is_known(known: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen("--domain", "shp.example", known)
    assert str(caught.value) == f"--domain shp.example: not known; {said}"


def test_not_every_one_of_many_domains_is_listed() -> None:
    with pytest.raises(UsageError, match=r"use one of: 0, 1, 10, .* and 99,950 more") as caught:
        chosen("--domain", "shop.example", list(map(str, range(100_000))))
    assert len(str(caught.value)) < 500
