"""What the operating docs tell people to type exists."""

import fnmatch
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from ops.main import build
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


def test_an_elastic_ip_has_the_name_that_is_to_be_unprotected() -> None:
    assert "::mail-address-out-2-eip" in OPERATING
    assert shapes.program("prod").one("Eip", "mail-address-out-2-eip").protect


def test_every_key_that_is_set_is_one_of_the_settings() -> None:
    told = re.findall(r"config (?:set|rm) (?:--secret )?(?:--path )?'?([A-Za-z.]+)", OPERATING)
    known = {row.key for row in rows(Settings)} | set(keys_of_settings()) | set(SECRET_KEYS)
    assert told
    assert set(told) - known == set()


TOLD = re.compile(r"(?:^ {4,7}|`)(?:\.venv/bin/)?ping8 ([a-z][^`#|\n]*)", re.MULTILINE)


def commands_told(path: Path) -> list[list[str]]:
    """The words of each command line of ours that a page asks people to type."""
    return [shlex.split(told, posix=True) for told in TOLD.findall(path.read_text("utf-8"))]


@pytest.mark.parametrize(
    "path",
    [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))],
    ids=lambda path: path.name,
)
def test_every_command_of_ours_exists_with_its_options(path: Path) -> None:
    for words in commands_told(path):
        command: Any = typer.main.get_command(build())
        for word in words:
            inner = getattr(command, "commands", None)
            if word.startswith("-") or inner is None:
                break
            found = command.get_command(None, word)
            assert found is not None, words
            command = found
        known = {option for each in command.params for option in each.opts}
        given = {word for word in words if word.startswith("-")}
        assert given <= known | {"--help"}, words


def test_a_command_that_does_not_exist_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("    ping8 status --nonsense\n")
    with pytest.raises(AssertionError, match="nonsense"):
        test_every_command_of_ours_exists_with_its_options(page)
