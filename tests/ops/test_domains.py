"""`ping8 domains check`: which sender domains DNS is ready for, and the answers that are kept."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from ops import dns as questions_to_dns
from ops import domains, main
from ops.doctor.resolver import Resolver
from ops.journal import Journal
from ops.stackfile import read_stack_file
from policy.dns import answers
from policy.dns.publish import Publication
from policy.errors import UserError
from policy.settings import Settings
from tests.ops.doctor.dns_server import closed_port, serving

ROUTE_53 = "ns-1.awsdns-01.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
READY, NEW, OWN = "ready.ping8.app", "new.ping8.app", "own.example"
STACK: dict[str, Any] = {
    "aws:region": "eu-central-1",
    "ping8-mail:zone": "mail.ping8.app",
    "ping8-mail:webhook": {"url": "https://app.ping8.app/events"},
    "ping8-mail:operators": {"cidrs": ["8.8.8.0/28"]},
    "ping8-mail:brands": [
        {"name": "default", "pool": "shared-default"},
        {"name": "shop", "pool": "shared-default"},
    ],
    "ping8-mail:domains": [
        {"name": READY, "brand": "shop", "dkim": {"keys": "brand"}},
        {"name": NEW, "brand": "shop", "dkim": {"keys": "brand"}},
        OWN,
        {"name": "in.route53.example", "zone": "route53.example"},
    ],
}
Run = Callable[..., Result]
Records = dict[tuple[str, str], list[str]]


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "stacks"
    folder.mkdir()
    (folder / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": STACK}), "utf-8")
    monkeypatch.setitem(domains.check.__kwdefaults__ or {}, "directory", folder)
    return folder


@pytest.fixture
def run(stacks: Path) -> Run:
    """A check with DNS as given, by default what owners have published."""

    def once(*options: str, dns: Mapping[tuple[str, str], list[str]], **more: Any) -> Result:
        with serving(dns, **more) as server:
            words = ["domains", "check", "-s", "prod", "--resolver", server, *options]
            return CliRunner().invoke(main.build(), words)

    return once


def settings(stacks: Path) -> Settings:
    return read_stack_file("prod", stacks)


def published(stacks: Path, *domains_of: str) -> Records:
    """DNS in which these domains' owners have published everything."""
    found: Records = {("", "NS"): ["a.root."], (".", "NS"): ["a.root."]}
    of = settings(stacks)
    for domain in of.domains:
        for record in answers.questions(of, domain) if domain.name in domains_of else ():
            value = f'"{record.value}"' if record.type == "TXT" else f"{record.value}."
            value = ROUTE_53 if record.type == "SOA" else value
            found.setdefault((record.name, record.type), []).append(value)
    return found


def kept(stacks: Path) -> dict[str, answers.Answer]:
    return answers.read(answers.file_of("prod", stacks))


def test_what_owners_published_and_what_is_missing_is_shown_and_kept(
    run: Run, stacks: Path
) -> None:
    dns = published(stacks, READY, "in.route53.example")
    dns[f"s1._domainkey.{NEW}", "CNAME"] = ["s1.other.example."]
    result = run(dns=dns)
    assert result.exit_code == 1
    lines = [re.split(r" {2,}", line.strip()) for line in result.stdout.splitlines()]
    assert lines[1:3] == [["default", "2", "1", "0", "1", "0"], ["shop", "2", "1", "0", "1", "0"]]
    assert [line[:3] for line in lines[3:5]] == [
        ["pending", NEW, "shop"],
        ["pending", OWN, "default"],
    ]
    gaps = lines[3][3]
    assert "another value: s1.other.example: s1._domainkey CNAME" in gaps
    assert "missing: s2._domainkey CNAME, bounce CNAME, _dmarc TXT" in gaps
    assert "1 domain became ready to send, 0 no longer are: `pulumi up -s prod`" in (result.stdout)
    found = kept(stacks)
    assert list(found) == ["in.route53.example", NEW, OWN, READY]
    assert found[NEW].seen["s1._domainkey CNAME"] == ["s1.other.example"]
    assert found[NEW].seen["bounce CNAME"] == []
    assert settings(stacks).unpublished == {NEW, OWN}


def test_a_zone_that_is_not_delegated_to_route_53_is_pending(run: Run, stacks: Path) -> None:
    assert "in.route53.example" not in settings(stacks).unpublished
    dns = published(stacks, READY, NEW, OWN)
    assert run(dns=dns).exit_code == 1
    assert settings(stacks).unpublished == {"in.route53.example"}


def test_a_domain_that_lacks_only_what_mail_does_not_need_is_ready_to_send(
    run: Run, stacks: Path
) -> None:
    dns = published(stacks, READY, NEW, OWN, "in.route53.example")
    del dns[f"_dmarc.{NEW}", "TXT"], dns[f"s2._domainkey.{OWN}", "CNAME"]
    result = run("--json", dns=dns)
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert data["count"] == {"ready": 2, "incomplete": 2, "pending": 0, "not known": 0}
    assert [one["domain"] for one in data["domains"]] == [NEW, OWN]
    assert {r["name"] for r in data["domains"][0]["records"] if r["published"] == "missing"} == {
        f"_dmarc.{NEW}"
    }
    assert settings(stacks).unpublished == frozenset()


def test_servfail_is_not_missing_and_keeps_what_was_seen(run: Run, stacks: Path) -> None:
    dns = published(stacks, READY, NEW, "in.route53.example")
    run(dns=dns)
    before = kept(stacks)
    result = run(
        "--all", dns={("", "NS"): ["a.root."]}, broken=[READY, NEW, OWN, "route53.example"]
    )
    assert "No answer for 4 domains, such as" in result.stdout
    assert kept(stacks) == before
    assert settings(stacks).unpublished == {OWN}


def test_a_domain_that_never_got_an_answer_is_not_known_and_waits(run: Run, stacks: Path) -> None:
    result = run("--json", dns={("", "NS"): ["a.root."]}, broken=[NEW])
    states = {one["domain"]: one["state"] for one in json.loads(result.stdout)["domains"]}
    assert states[NEW] == "not known"
    assert states[READY] == "pending"
    assert NEW not in kept(stacks)
    assert NEW in settings(stacks).unpublished


def test_only_pending_domains_are_asked_again_unless_all_are_wanted(run: Run, stacks: Path) -> None:
    run(dns=published(stacks, READY, NEW, OWN, "in.route53.example"))
    first = answers.file_of("prod", stacks).read_bytes()
    nothing = {("", "NS"): ["a.root."]}
    assert run(dns=nothing).exit_code == 0
    assert answers.file_of("prod", stacks).read_bytes() == first
    assert run("--all", dns=nothing).exit_code == 1
    assert settings(stacks).unpublished == {READY, NEW, OWN, "in.route53.example"}


def test_one_domain_that_publishes_changes_one_line(run: Run, stacks: Path) -> None:
    run(dns=published(stacks, READY))
    file = answers.file_of("prod", stacks)
    file.write_text(
        re.sub(r"(?<=\"since\": \")[^\"]*", "2026-01-02", file.read_text("utf-8")), "utf-8"
    )
    before = file.read_text("utf-8").splitlines()
    run("--all", dns=published(stacks, READY, NEW))
    after = file.read_text("utf-8").splitlines()
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert [json.loads(line)["domain"] for line in changed] == [NEW]


def test_domains_that_left_the_settings_leave_the_file(run: Run, stacks: Path) -> None:
    run(dns=published(stacks, READY, NEW))
    path = stacks / "Pulumi.prod.yaml"
    brands = STACK["ping8-mail:brands"][:1]
    config = {**STACK, "ping8-mail:domains": [OWN], "ping8-mail:brands": brands}
    path.write_text(yaml.safe_dump({"config": config}), "utf-8")
    run(dns=published(stacks, OWN))
    assert list(kept(stacks)) == [OWN]


class _Interrupted:
    """DNS that answers for some domains, before somebody presses Ctrl-C."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.asked: list[str] = []

    def __call__(self, _resolver: Resolver, record: Publication) -> list[str]:
        self.asked.append(record.name)
        if record.name.startswith("s1._domainkey") or record.type == "SOA":
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
        return []


def test_after_ctrl_c_the_answers_are_kept_and_the_next_run_asks_for_the_rest(
    run: Run, stacks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions_to_dns, "_AT_ONCE", 1)
    first, second = _Interrupted(after=2), _Interrupted(after=9)
    monkeypatch.setattr(domains, "values", first)
    assert run(dns={("", "NS"): ["a.root."]}).exit_code != 0
    assert list(kept(stacks)) == [NEW, READY]
    monkeypatch.setattr(domains, "values", second)
    run(dns={("", "NS"): ["a.root."]})
    assert not any(READY in name or NEW in name for name in second.asked)
    assert any(OWN in name for name in second.asked)
    assert list(kept(stacks)) == ["in.route53.example", NEW, OWN, READY]
    assert list(stacks.glob("*.part")) == []


def test_answers_of_a_run_that_was_killed_are_not_lost(
    run: Run, stacks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is not written, and a power cut left half a line."""
    run(dns=published(stacks, READY))
    file = answers.file_of("prod", stacks)
    lines = file.read_text("utf-8").splitlines(keepends=True)
    ready = next(line for line in lines if READY in line)
    file.unlink()
    file.with_name(f"{file.name}.part").write_text(ready + lines[0][:30], "utf-8")
    monkeypatch.setattr(domains, "values", asked := _Interrupted(after=9))
    run(dns={("", "NS"): ["a.root."]})
    assert asked.asked
    assert not any(READY in name for name in asked.asked)
    assert READY not in settings(stacks).unpublished


def test_two_runs_at_once_do_not_mix(run: Run, stacks: Path) -> None:
    with Journal(answers.file_of("prod", stacks)):
        result = run(dns={("", "NS"): ["a.root."]})
    assert isinstance(result.exception, UserError)
    assert "another `ping8 domains check` of this stack is running" in str(result.exception)
    assert run(dns={("", "NS"): ["a.root."]}).exit_code == 1


def test_a_page_tells_each_owner_what_is_missing(run: Run, stacks: Path, tmp_path: Path) -> None:
    dns = published(stacks, READY, "in.route53.example")
    dns[f"s1._domainkey.{NEW}", "CNAME"] = published(stacks, NEW)[f"s1._domainkey.{NEW}", "CNAME"]
    run("--pages", str(tmp_path / "pages"), dns=dns)
    pages = {path.name: path.read_text("utf-8") for path in (tmp_path / "pages").iterdir()}
    assert sorted(pages) == [f"{NEW}.html", f"{OWN}.html"]
    assert f"<td>s1._domainkey.{NEW}</td>" in pages[f"{NEW}.html"]
    assert pages[f"{NEW}.html"].count("<td>published</td>") == 1
    assert pages[f"{NEW}.html"].count("<td>missing</td>") == 3
    assert OWN not in pages[f"{NEW}.html"]


def test_dns_that_does_not_answer_changes_nothing(stacks: Path, run: Run) -> None:
    run(dns=published(stacks, READY))
    before = answers.file_of("prod", stacks).read_bytes()
    words = ["domains", "check", "-s", "prod", "--resolver", f"127.0.0.1:{closed_port()}"]
    result = CliRunner().invoke(main.build(), words)
    assert isinstance(result.exception, UserError)
    assert "no DNS server answers" in str(result.exception)
    assert answers.file_of("prod", stacks).read_bytes() == before
    assert list(stacks.glob("*.part")) == []


@pytest.mark.parametrize("name", ["prod.published.jsonl", "prod.published.jsonl.part"])
def test_a_foreign_file_is_one_error_and_stays(run: Run, stacks: Path, name: str) -> None:
    (stacks / name).write_text("hello\n", "utf-8")
    result = run(dns={("", "NS"): ["a.root."]})
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(f"stacks/{name} line 1 = hello: Invalid JSON")
    assert (stacks / name).read_text("utf-8") == "hello\n"
