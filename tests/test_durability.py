"""docs/durability.md names tests that exist, and at least one for each fault."""

import re

import pytest

from tests import faults


@pytest.mark.parametrize("number", range(1, 35))
def test_each_fault_has_a_test(number: int) -> None:
    _, tests = faults.rows()[number]
    assert tests


def test_every_test_that_the_document_names_exists() -> None:
    text = faults.TABLE.read_text()
    assert len(set(faults.named(text))) > 60
    words = set(re.findall(r"\btest_\w+", text))
    assert words <= faults.tests().keys()


def test_a_name_of_no_test_is_found_out() -> None:
    with pytest.raises(KeyError):
        list(faults.named("`test_that_nobody_wrote`"))
