"""Every `ping8` command that a document names exists, with its options; every picture is there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ops.main import build

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "sandbox" / "README.md", *ROOT.glob("docs/*.md")])
_CODE = re.compile(r"^    (.*)$|`([^`\n]+)`", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|[ ;/])ping8 ([a-z-][^;|#`]*)")
_OPTION = re.compile(r"^-{1,2}[a-z][a-z-]*")


def commands(document: Path) -> Iterator[list[str]]:
    """The words behind `ping8` of each command in the document's code."""
    for indented, inline in _CODE.findall(document.read_text("utf-8")):
        for found in _COMMAND.findall(indented or inline):
            yield found.replace("|", " ").split()


def problem(words: list[str]) -> str | None:
    """Why there is no such command, if so."""
    command: Any = typer.main.get_command(build())
    names = {"-h", "--help"}
    rest = list(words)
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        word = rest.pop(0)
        command = command.get_command(None, word.rstrip(",.:"))
        if command is None:
            return f"no command {word}"
    names |= {name for parameter in command.params for name in parameter.opts}
    unknown = [
        found[0] for word in rest if (found := _OPTION.match(word)) and found[0] not in names
    ]
    return f"no option {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_a_document_exist(document: Path) -> None:
    wrong = {" ".join(words): why for words in commands(document) if (why := problem(words))}
    assert wrong == {}


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert problem(["queue", "lst"]) == "no command lst"
    assert problem(["queue", "list", "--bye", "brand"]) == "no option --bye"
    assert problem(["queue", "list", "--by", "brand", "-s", "prod"]) is None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_pictures_of_a_document_are_there_and_small(document: Path) -> None:
    for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", document.read_text("utf-8")):
        picture = document.parent / target
        assert picture.is_file(), target
        assert picture.stat().st_size < 150_000
