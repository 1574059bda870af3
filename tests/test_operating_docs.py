"""What the operating docs tell people to type exists."""

import fnmatch
import re
from pathlib import Path

import pytest

from policy.settings.model import Settings
from policy.settings.reading import keys_of_settings
from policy.settings.reference import rows
from policy.settings.secret_values import SECRET_KEYS
from tests.components import shapes

DOCS = Path(__file__).parents[1] / "docs"
OPERATING = (DOCS / "operating.md").read_text("utf-8")


@pytest.mark.parametrize("pattern", sorted(set(re.findall(r"'\*\*::([\w.-]+)'", OPERATING))))
def test_every_resource_to_replace_is_one_of_production(pattern: str) -> None:
    names = {item.name for item in shapes.program("prod")}
    assert fnmatch.filter(names, pattern)


def test_an_elastic_ip_has_the_name_to_unprotect() -> None:
    assert "::mail-address-out-2-eip" in OPERATING
    assert shapes.program("prod").one("Eip", "mail-address-out-2-eip").protect


def test_every_key_that_is_set_is_one_of_the_settings() -> None:
    named = re.findall(r"config (?:set|rm) (?:--secret )?(?:--path )?'?([A-Za-z.]+)", OPERATING)
    known = {row.key for row in rows(Settings)} | set(keys_of_settings()) | set(SECRET_KEYS)
    assert named
    assert set(named) - known == set()
