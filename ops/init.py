"""`ping8 init`: questions and answers to a stack file that passes preview."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
import yaml

from ops.questions import QUESTIONS
from ops.stackfile import STACKS, read_stack_file
from policy.errors import UsageError, UserError
from policy.settings import Settings
from policy.settings.model import FILLED_IN
from policy.settings.problems import PROJECT
from policy.settings.secret_values import SECRET_KEYS

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_OPTIONAL = ("ssh_keys",)


def init(stack: str, answers: Mapping[str, str | None], directory: Path = STACKS) -> Path:
    """Asks for what is not given, writes the file, and removes it if it is not valid."""
    if not _NAME.fullmatch(stack):
        raise UsageError(
            f"NAME {stack!r}: Pulumi allows letters, digits, hyphens, underscores and dots"
        )
    path = directory / f"Pulumi.{stack}.yaml"
    if path.exists():
        raise UserError(f"stack {stack!r}: {path.name} already exists; edit it")
    given = {
        key: answers.get(key) if answers.get(key) is not None else _answer(key, question)
        for key, question in QUESTIONS.items()
    }
    path.write_text(text(given), "utf-8")
    try:
        read_stack_file(stack, directory)
    except UserError:
        path.unlink()
        raise
    return path


def _answer(key: str, question: str) -> str:
    default = "" if key in _OPTIONAL else None
    try:
        answer: str = typer.prompt(question, default=default, err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        typer.echo(err=True)  # the question's line ends
        option = f"--{key.replace('_', '-')}"
        raise UsageError(f"no answer, and no terminal to ask on: set {option}") from None
    return answer


def text(answers: Mapping[str, Any]) -> str:
    """The stack file of these answers."""
    operators: dict[str, list[str]] = {"cidrs": _several(answers["operators"])}
    for key, name in (("emails", "emails"), ("ssh_keys", "sshKeys")):
        if answers.get(key):
            operators[name] = _several(answers[key])
    config = {
        "aws:region": answers["region"],
        f"{PROJECT}:zone": answers["zone"],
        f"{PROJECT}:webhook": {"url": answers["webhook"]},
        f"{PROJECT}:operators": operators,
        f"{PROJECT}:domains": _several(answers["domains"]),
    }
    head = "# docs/settings.md lists every key; keys that are not here have their defaults.\n"
    return head + yaml.safe_dump({"config": config}, sort_keys=False, allow_unicode=True, width=99)


def _several(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def schema() -> str:
    """A JSON schema of stack files, for editors."""
    settings = Settings.model_json_schema(by_alias=True)
    own = {
        f"{PROJECT}:{name}": part
        for name, part in settings["properties"].items()
        if name not in FILLED_IN
    }
    # Sender domains may be bare names in a file.
    own[f"{PROJECT}:domains"] = {
        "type": "array",
        "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/SenderDomain"}]},
    }
    secret = {"type": "object", "additionalProperties": {"type": ["string", "object"]}}
    own |= {
        f"{PROJECT}:{name}": {**secret, "description": what} for name, what in SECRET_KEYS.items()
    }
    definitions = settings["$defs"]
    # `domainDefaults` fill in what a domain leaves out.
    definitions["SenderDomain"]["required"] = ["name"]
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack file of ping8-mail",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                "properties": {"aws:region": {"type": "string"}, **own},
                "patternProperties": {f"^(?!{PROJECT}:)[^:]+:": {}},
                "additionalProperties": False,
            }
        },
        "$defs": definitions,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (STACKS / "stack.schema.json").write_text(schema(), "utf-8")
