"""What the operating docs tell people to type exists."""

import fnmatch
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from policy.settings.model import Settings
from policy.settings.reading import keys_of_settings
from policy.settings.reference import rows
from policy.settings.secret_values import SECRET_KEYS
from tests.components import shapes

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
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


_REFERENCE = re.compile(
    r"\*(?P<a>[A-Z][^*|]+)\* in `(?P<in_a>docs/[a-z-]+\.md)`"
    r"|`(?P<in_b>docs/[a-z-]+\.md)`, \*(?P<b>[^*]+)\*"
    r"|\((?P<in_c>docs/[a-z-]+\.md), (?P<c>[A-Z][^)]+)\)"
)
"""*Section* in `docs/file.md`, as documents, alarms and messages write it."""


def references() -> Iterator[tuple[str, str, str]]:
    """Each place that names a section of a document: the file, the document, the section."""
    tracked = subprocess.run(
        ["git", "ls-files", "README.md", "docs", "ops", "policy", "sandbox"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    for name in tracked:
        if name.endswith((".md", ".py", ".yaml")):
            text = " ".join((ROOT / name).read_text("utf-8").split())
            for found in _REFERENCE.finditer(text):
                document, section = (
                    next(value for key in "abc" if (value := found[f"{way}{key}"]))
                    for way in ("in_", "")
                )
                yield name, document, section


def test_every_section_that_a_message_or_a_document_names_is_there() -> None:
    named = list(references())
    assert len(named) > 8
    missing = [
        (name, document, section)
        for name, document, section in named
        if not any(
            line.lstrip("#* ").replace("*", "").startswith(section)
            for line in (ROOT / document).read_text("utf-8").splitlines()
            if line.startswith(("#", "**"))
        )
    ]
    assert missing == []


# The tests that durability.md names have a test of their own.
@pytest.mark.parametrize(
    "name", sorted(each.name for each in DOCS.glob("*.md") if each.name != "durability.md")
)
def test_every_file_that_a_document_names_is_there(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    named = set(re.findall(r"`((?:docs|policy|hostagent|ops|components|stacks)/[\w./-]+)`", text))
    assert [
        each for each in sorted(named) if "NAME" not in each and not (ROOT / each).exists()
    ] == []
