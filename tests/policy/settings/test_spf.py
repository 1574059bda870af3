"""Look-ups of SPF records are counted as receivers count them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.settings.checks.spf import LOOKUPS, look_ups


def test_each_include_costs_a_look_up_and_what_it_includes() -> None:
    records = {"a": ("b", "x"), "b": ("c", "y"), "c": ()}
    assert look_ups("a", records) == 4


def test_an_include_reached_by_two_ways_counts_twice() -> None:
    records = {"a": ("b", "c"), "b": ("d",), "c": ("d",)}
    assert look_ups("a", records) == 4


NAMES = st.sampled_from("abcdefgh")


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=4).map(tuple)), NAMES)
def test_counting_ends_whatever_includes_what(
    records: dict[str, tuple[str, ...]], name: str
) -> None:
    count = look_ups(name, records)
    assert count is None or count >= 0
    if count is not None and count <= LOOKUPS:
        assert _reachable(name, records) <= count + 1


def _reachable(name: str, records: dict[str, tuple[str, ...]]) -> int:
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += records.get(current, ())
    return len(seen)
