"""One value of a YAML text changes, and nothing else."""

import difflib
from pathlib import Path

import pytest

from ops.yaml_edit import put
from policy.errors import UserError

STACKS = Path(__file__).parents[2] / "stacks"
DKIM = {"active": "s2", "made": {"s1": "2026-12-01T02:30:00Z"}}
SHOWN = '{active: s2, made: {s1: "2026-12-01T02:30:00Z"}}'


def changed_lines(before: str, after: str) -> list[str]:
    """Lines that a change takes and gives, as in a diff."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        ("a:\n  - {name: x, b: 1} # why\n", ["a", 0, "dkim"],
         f"a:\n  - {{name: x, b: 1, dkim: {SHOWN}}} # why\n"),
        ("a:\n  - x # why\n  - y\n", ["a", 0, "dkim"],
         f"a:\n  - {{name: x, dkim: {SHOWN}}} # why\n  - y\n"),
        ("a:\n- name: x # why\n  b: 1\n\n# next\n- y\n", ["a", 0, "dkim"],
         f"a:\n- name: x # why\n  b: 1\n  dkim: {SHOWN}\n\n# next\n- y\n"),
        ("a: {}", ["a", "dkim"], f"a: {{dkim: {SHOWN}}}"),
        ("a: 1", ["b", "dkim"], f"a: 1\nb: {{dkim: {SHOWN}}}\n"),
        ("a:\n  dkim:\n    active: s1 # old\n    bits: 1\nb: 2\n", ["a", "dkim", "active"],
         f"a:\n  dkim:\n    active: {SHOWN} # old\n    bits: 1\nb: 2\n"),
        ("a:\n  dkim:\n    active: s1\n# about b\nb: 2\n", ["a", "dkim"],
         f"a:\n  dkim:\n    {SHOWN}\n# about b\nb: 2\n"),
    ],
)  # fmt: skip
def test_a_value_is_put_in_its_place(text: str, path: list[str | int], after: str) -> None:
    assert put(text, path, DKIM) == after


def test_what_an_alias_shares_is_refused() -> None:
    with pytest.raises(UserError, match=r"write it by hand: s2"):
        put("a: &one {active: s1}\nb: *one\n", ["b", "active"], "s2")


def test_the_production_example_changes_by_one_line() -> None:
    before = (STACKS / "Pulumi.prod.yaml").read_text("utf-8")
    after = put(before, ["config", "ping8-mail:brands", 1, "dkim"], DKIM)
    assert len(changed_lines(before, after)) == 2
    after = put(after, ["config", "ping8-mail:domainDefaults", "dkim", "active"], "s2")
    assert "    dkim: {ed25519: true, active: s2}\n" in after
    domains = (STACKS / "prod.domains.yaml").read_text("utf-8")
    assert len(changed_lines(domains, put(domains, [2, "dkim"], DKIM))) == 2
    last = put(f"{domains}- b\u00fccher.example.net\n", [8, "dkim"], DKIM)
    assert last.endswith(f"- {{name: b\u00fccher.example.net, dkim: {SHOWN}}}\n")
