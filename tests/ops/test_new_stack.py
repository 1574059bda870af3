"""`ping8 init`, the schema of stack files, and `ping8 dns`: before there is a deployment."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from ops import dns, init
from ops.main import build
from ops.stackfile import STACKS, read_stack_file, stack_names
from policy.errors import UserError
from policy.settings import Settings
from tests.ops.doctor.dns_server import serving

ANSWERS = {
    "region": "eu-central-1",
    "zone": "mail.ping8.app",
    "webhook": "https://app.ping8.app/events",
    "operators": "8.8.8.8/32, 8.8.4.0/28",
    "emails": "ops@ping8.app",
    "ssh_keys": "",
    "domains": "ping8.app, news.ping8.app",
}


def test_answers_make_a_stack_file_that_passes(tmp_path: Path) -> None:
    path = init.init("new", ANSWERS, tmp_path)
    settings = read_stack_file("new", tmp_path)
    assert settings.zone == "mail.ping8.app"
    assert settings.operators.cidrs == ("8.8.8.8/32", "8.8.4.0/28")
    assert [domain.name for domain in settings.domains] == ["ping8.app", "news.ping8.app"]
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) <= 16


def test_what_is_not_given_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "STACKS", tmp_path)
    monkeypatch.setattr(init.init, "__defaults__", (tmp_path,))
    arguments = ["init", "new", "--region", "eu-central-1", "--domains", "ping8.app"]
    answers = [ANSWERS[key] for key in ("zone", "webhook", "operators", "emails", "ssh_keys")]
    result = CliRunner().invoke(build(), arguments, input="".join(f"{a}\n" for a in answers))
    assert result.exit_code == 0, result.output
    assert read_stack_file("new", tmp_path).webhook.url == ANSWERS["webhook"]
    assert "pulumi preview -s new" in result.output


def test_an_answer_that_does_not_pass_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean eu-central-1"):
        init.init("new", {**ANSWERS, "region": "eu-centrl-1"}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_stack_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.new.yaml").write_text("mine")
    with pytest.raises(UserError, match="already exists"):
        init.init("new", ANSWERS, tmp_path)
    assert (tmp_path / "Pulumi.new.yaml").read_text() == "mine"


def test_the_schema_is_current() -> None:
    assert (STACKS / "stack.schema.json").read_text("utf-8") == init.schema(), "make docs"


def content(stack: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((STACKS / f"Pulumi.{stack}.yaml").read_text("utf-8"))
    found: dict[str, Any] = json.loads(json.dumps(loaded, default=str))
    return found


@pytest.mark.parametrize("stack", stack_names())
def test_every_example_stack_fits_the_schema(stack: str) -> None:
    jsonschema.validate(content(stack), json.loads(init.schema()))


@pytest.mark.parametrize(
    ("key", "value"),
    [("ping8-mail:zoen", "x"), ("ping8-mail:mta", {"spolGib": 5}), ("ping8-mail:protect", 5)],
)
def test_a_slip_does_not_fit_the_schema(key: str, value: object) -> None:
    wrong = content("dev")
    wrong["config"][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json.loads(init.schema()))


def run(*arguments: str) -> Any:
    return CliRunner().invoke(build(), ["dns", "-s", "staging", *arguments])


RECORDS = 4
"""What the owner of news.example.net publishes."""


def test_records_come_from_the_settings_alone_each_on_one_line() -> None:
    result = run()
    lines = result.stdout.splitlines()
    assert len(lines) == RECORDS
    assert "news.example.net cannot send until `ping8 domains check`" in result.stderr
    assert lines[0].split() == [
        "s1._domainkey.news.example.net",
        "CNAME",
        "s1.news.dkim.staging.mail.example.com",
    ]


def test_records_come_as_zone_file_page_and_json(tmp_path: Path) -> None:
    assert "_dmarc.news.example.net. 300 IN TXT" in run("--zone-file").output
    page = tmp_path / "page.html"
    assert run("--html", str(page), "--domain", "news.example.net").exit_code == 0
    assert "<td>_dmarc.news.example.net</td><td>TXT</td>" in page.read_text("utf-8")
    assert len(json.loads(run("--json").output)) == RECORDS


def test_what_is_published_already_is_said() -> None:
    settings: Settings = read_stack_file("staging")
    first, *_, last = dns.chosen(settings, ())
    zone = {(first.name, first.type): [f"{first.value}."], (last.name, last.type): ['"v=DMARC1"']}
    with serving(zone) as server:
        result = run("--check", "--resolver", server)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("published  ")
    assert lines[1].startswith("missing  ")
    assert lines[-1].startswith("another value: v=DMARC1  ")


def test_a_domain_that_is_not_ours_is_rejected_with_the_nearest() -> None:
    result = run("--domain", "news.example.nett")
    assert "did you mean news.example.net?" in str(result.exception)
