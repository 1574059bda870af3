"""The reference of all keys is current and complete."""

from policy.settings import reference
from policy.settings.model import Settings
from policy.settings.secret_values import SECRET_KEYS


def test_the_reference_in_the_docs_is_current() -> None:
    current = reference.TARGET.read_text("utf-8")
    assert current == reference.text(), "run: python -m policy.settings.reference"


def test_every_key_has_a_type_a_meaning_and_an_example() -> None:
    for row in reference.rows(Settings):
        assert row.type, row.key
        assert row.meaning.endswith((".", "newer.")), row.key
        assert row.example or row.type in {"table", "table of tables"}, row.key


def test_every_number_has_a_unit() -> None:
    for row in reference.rows(Settings):
        if "number" in row.type:
            assert row.unit, row.key


def test_every_secret_is_in_the_reference() -> None:
    for key in SECRET_KEYS:
        assert f"| `{key}` |" in reference.text()
