"""How findings are shown: in the terminal, as JSON, and in the documentation."""

import io
import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from ops.doctor import document
from ops.doctor.finding import Finding, Status, check_texts, failed, passed
from ops.doctor.report import as_data, changes
from ops.doctor.terminal import show
from tests.ops.doctor.findings import HOSTILE, every_check, mixed

DOCUMENT = Path(__file__).parents[3] / "docs" / "doctor.md"


def shown(findings: list[Finding], *, width: int = 160, every: bool = False) -> str:
    output = io.StringIO()
    show(findings, Console(file=output, width=width, color_system=None), every=every)
    return output.getvalue()


@pytest.mark.parametrize("width", [160, 100, 60])
def test_no_line_is_longer_than_a_hundred_columns_or_the_terminal(width: int) -> None:
    lines = shown(mixed(), width=width, every=True).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= min(width, 100)


def test_groups_are_listed_worst_first_with_their_counts() -> None:
    text = shown(mixed())
    places = [text.index(group) for group in ("DOMAINS", "HOSTS", "MTA")]
    assert places == sorted(places)
    assert "2 fail, 0 unknown, 0 warn, 11 pass" in " ".join(text.split())


def test_what_is_well_shows_on_request_alone() -> None:
    assert "EGRESS" not in shown(mixed())
    assert "EGRESS" in shown(mixed(), every=True)
    assert shown(every_check()).strip() == f"0 fail, 0 unknown, 0 warn, {len(check_texts())} pass"


def test_each_trouble_says_what_it_saw_expected_why_and_the_fix() -> None:
    text = " ".join(shown(mixed()).split())
    assert (
        "unknown mta.mail.example.com Not known: The clock is right host.clock saw chronyc says "
        "nothing expected pass why Signatures and TLS fail with a wrong clock. "
        "fix pulumi up --refresh -s prod"
    ) in text


def test_text_from_outside_is_shown_as_it_is() -> None:
    assert HOSTILE in " ".join(shown(mixed()).split())


def test_one_fault_of_a_hundred_domains_is_one_paragraph() -> None:
    alike = [
        Finding(check="domain.spf", subject=f"d{n}.example.com", status=Status.FAIL, saw="no")
        for n in range(100)
    ]
    text = " ".join(shown(alike).split())
    assert text.count("SPF does not pass for every egress address") == 1
    assert "d0.example.com" in text
    assert text.count("example.com") == 9
    assert "and 91 more" in text
    assert "100 fail" in text


def test_a_fix_for_each_of_a_hundred_domains_is_a_few_paragraphs_unless_all_are_wanted() -> None:
    own = [
        Finding(
            check="domain.spf",
            subject=f"d{n}.example.com",
            status=Status.FAIL,
            saw="no",
            fix=f"the owner of d{n}.example.com publishes it",
        )
        for n in range(100)
    ]
    lines = [line for line in shown(own).splitlines() if line.strip()]
    assert len(lines) < 20
    assert "and 89 more; each has its own fix" in " ".join(shown(own).split())
    assert shown(own, every=True).count("publishes it") == 100


# JSON -------------------------------------------------------------------------


def schema() -> Any:
    text = resources.files("ops.doctor").joinpath("report.schema.json").read_text("utf-8")
    return json.loads(text)


@pytest.mark.parametrize("findings", [[], every_check(), mixed()])
def test_the_report_is_as_its_schema_says(findings: list[Finding]) -> None:
    data = as_data(findings, stack="prod", when="2026-11-21T00:00:00+00:00")
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(json.loads(json.dumps(data)), schema())


@pytest.mark.parametrize(
    "wrong", [{"exit_status": 4}, {"findings": [{"check": "x"}]}, {"more": True}]
)
def test_the_schema_refuses_what_the_report_never_says(wrong: dict[str, Any]) -> None:
    data = as_data(mixed(), stack="prod", when="2026-11-21T00:00:00+00:00")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data | wrong, schema())


def test_the_schema_names_every_group_and_status() -> None:
    finding = schema()["properties"]["findings"]["items"]["properties"]
    assert finding["status"]["enum"] == [str(status) for status in Status]
    assert finding["group"]["enum"] == list(
        dict.fromkeys(text.group for text in check_texts().values())
    )


# Watching and documentation ---------------------------------------------------


def test_a_change_is_what_is_new_or_has_another_status() -> None:
    before, after = every_check(), mixed()
    assert {finding.check for finding in changes(before, after)} == {
        "domain.spf",
        "domain.dkim-record",
        "host.clock",
        "mta.queue-age",
    }
    assert changes(after, after) == []
    assert len(changes([], before)) == len(before)


def test_the_table_of_checks_in_the_documentation_is_the_one_that_runs() -> None:
    assert document.text(DOCUMENT.read_text("utf-8")) == DOCUMENT.read_text("utf-8")
    for check, text in check_texts().items():
        assert f"| `{check}` | {text.title} |" in DOCUMENT.read_text("utf-8")


def test_a_title_says_what_is_wrong_when_it_is_wrong() -> None:
    for check, text in check_texts().items():
        assert text.wrong and text.wrong != text.title
        found = failed("saw", expected="", fix="").of(check, "x")
        assert found.headline == text.wrong
        assert passed("saw").of(check, "x").headline == text.title
