"""Ten to a thousand sender domains stay readable: a file beside the stack file, and defaults."""

from pathlib import Path

import pytest

from policy.settings import SettingsError
from tests.policy.settings.good import Raw, changed, problems, read, setting


def with_file(directory: Path, text: str, **values: object) -> Raw:
    (directory / "test.domains.yaml").write_text(text, "utf-8")
    return changed(**{"domainsFile": "test.domains.yaml", **values})


def test_a_file_adds_bare_names_and_tables(tmp_path: Path) -> None:
    raw = with_file(tmp_path, "- A.Example.\n- {name: b.example, brand: news}\n")
    settings = read(raw, tmp_path)
    assert [(domain.name, domain.brand) for domain in settings.domains[2:]] == [
        ("a.example", "default"),
        ("b.example", "news"),
    ]


def test_an_empty_file_adds_nothing(tmp_path: Path) -> None:
    assert len(read(with_file(tmp_path, "# none yet\n"), tmp_path).domains) == 2


def test_a_thousand_domains_come_from_a_file(tmp_path: Path) -> None:
    lines = "".join(f"- {{name: d{i}.example, brand: news}}\n" for i in range(1000))
    assert len(read(with_file(tmp_path, lines), tmp_path).domains) == 1002


def test_a_problem_in_the_file_is_found_by_file_and_index(tmp_path: Path) -> None:
    text = "- a.example\n- {name: b.example, brand: nws}\n- {nam: c.example}\n- EXAMPLE.com\n"
    found = problems(with_file(tmp_path, text), tmp_path)
    assert {problem.key for problem in found} == {
        "test.domains.yaml[1].brand",
        "test.domains.yaml[2].nam",
        "test.domains.yaml[2].name",
        "test.domains.yaml[3].name",
    }


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("- a: [\n", "not valid YAML: line 2"),
        ("- {name: a.example, name: b.example}\n", "`name` is written twice"),
        ("domains: []\n", "write a list"),
        ("just words\n", "write a list"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place(tmp_path: Path, text: str, fix: str) -> None:
    (problem,) = problems(with_file(tmp_path, text), tmp_path)
    assert problem.key == "test.domains.yaml"
    assert fix in problem.fix


def test_a_missing_file_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    raw = with_file(tmp_path, "- a.example\n", domainsFile="tset.domains.yaml")
    (problem,) = problems(raw, tmp_path)
    assert (problem.key, problem.value) == ("ping8-mail:domainsFile", "tset.domains.yaml")
    assert "it contains: test.domains.yaml" in problem.fix


@pytest.mark.parametrize("file", ["/etc/passwd", "../x.yaml", "folder/x.yaml"])
def test_a_file_elsewhere_is_refused(tmp_path: Path, file: str) -> None:
    (problem,) = problems(changed(domainsFile=file), tmp_path)
    assert "only the name of a file" in problem.fix


def test_a_file_with_bytes_that_are_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe")
    (problem,) = problems(changed(domainsFile="x.yaml"), tmp_path)
    assert "UTF-8" in problem.fix


def test_defaults_apply_where_a_domain_says_nothing() -> None:
    settings = read(
        changed(
            setting("domains[1].dkim", {"bits": 4096}),
            domainDefaults={
                "dkim": {"ed25519": True, "bits": 3072},
                "dmarc": {"report": "dmarc@example.com"},
            },
        )
    )
    first, second = settings.domains
    assert (first.dkim.bits, first.dkim.ed25519) == (3072, True)
    assert (second.dkim.bits, second.dkim.ed25519) == (4096, True)
    assert first.dmarc.report == second.dmarc.report == "dmarc@example.com"


@pytest.mark.parametrize("defaults", [{"dkim": {"bits": 1024}}, {"dkim": {"bits": "many"}}])
def test_a_problem_of_the_defaults_is_reported_once(defaults: Raw) -> None:
    (problem,) = problems(changed(domainDefaults=defaults))
    assert problem.key == "ping8-mail:domainDefaults.dkim.bits"


def test_a_misspelt_default_is_reported_once() -> None:
    (problem,) = problems(changed(domainDefaults={"dmark": {}}))
    assert problem.key == "ping8-mail:domainDefaults.dmark"
    assert "did you mean dmarc?" in problem.fix


def with_csv(directory: Path, text: str) -> Raw:
    (directory / "test.domains.csv").write_text(text, "utf-8")
    return changed(domainsFile="test.domains.csv")


def test_a_csv_file_names_its_columns_in_the_first_row(tmp_path: Path) -> None:
    text = 'name,brand,bounce\r\nA.Example,news,\r\n"b.example",,returns.b.example\r\n'
    domains = read(with_csv(tmp_path, text), tmp_path).domains[2:]
    assert [(domain.name, domain.brand, domain.bounce_domain) for domain in domains] == [
        ("a.example", "news", "bounce.a.example"),
        ("b.example", "default", "returns.b.example"),
    ]


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("", "line 1: the first row: name the columns"),
        ("domain,brand\na.example,news\n", "line 1: column 'domain': name the columns"),
        ("name,name\na.example,b.example\n", "name the columns once each"),
        ("name,brand\na.example\n", "line 2: as many values as columns"),
        ("name\na.example,b.example\n", "line 2: as many values as columns"),
        ('name\na.example\n"b.example\n', "line 3: it is not valid CSV"),
    ],
)
def test_a_malformed_csv_file_is_refused_with_its_line(tmp_path: Path, text: str, fix: str) -> None:
    (problem,) = problems(with_csv(tmp_path, text), tmp_path)
    assert problem.key == "test.domains.csv"
    assert fix in problem.fix


def test_a_wrong_row_of_csv_is_named_by_its_line(tmp_path: Path) -> None:
    text = "name,brand\n\na.example,news\nb_.example,news\na.EXAMPLE.,news\n,news\n"
    found = problems(with_csv(tmp_path, text), tmp_path)
    assert [(problem.key, problem.value) for problem in found] == [
        ("test.domains.csv[line 4].name", "b_.example"),
        ("test.domains.csv[line 6].name", ""),
        ("test.domains.csv[line 5].name", "a.example"),
    ]


def test_many_wrong_rows_of_csv_are_counted(tmp_path: Path) -> None:
    text = "name\n" + "".join(f"d_{i}.example\n" for i in range(30))
    with pytest.raises(SettingsError) as refused:
        read(with_csv(tmp_path, text), tmp_path)
    assert "and 20 more of this kind" in str(refused.value)


def test_the_ending_of_a_csv_file_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "TEST.CSV").write_text("name,brand\na.example,news\n", "utf-8")
    assert problems(changed(domainsFile="TEST.CSV"), tmp_path) == ()


def test_of_many_problems_of_one_kind_the_first_are_shown_and_the_others_counted(
    tmp_path: Path,
) -> None:
    lines = "".join(f"- {{name: d{i}.example, brand: nws}}\n" for i in range(4822))
    with pytest.raises(SettingsError) as refused:
        read(with_file(tmp_path, f"{lines}- exa mple\n"), tmp_path)
    said = str(refused.value).splitlines()
    assert len(said) == 1 + 11 + 1
    assert said[0].startswith("4,823 problems")
    assert "  - and 4,812 more of this kind" in said


def test_problems_with_different_fixes_do_not_hide_each_other(tmp_path: Path) -> None:
    lines = "".join(f"- d_{i}.example\n" for i in range(20)) + "- same.example\n" * 20
    with pytest.raises(SettingsError) as refused:
        read(with_file(tmp_path, lines), tmp_path)
    said = str(refused.value)
    assert "and 10 more of this kind" in said
    assert said.count("already listed") == 10
    assert "and 9 more of this kind" in said


def test_a_rotation_of_the_defaults_is_not_that_of_domains_with_their_own_or_with_a_brands_keys(
    tmp_path: Path,
) -> None:
    dkim = {"bits": 3072, "active": "s2", "seen": {"s2": "2026-12-01T02:30:00Z"}}
    text = (
        "- a.example\n- {name: b.example, dkim: {selectors: [k1, k2]}}\n"
        "- {name: c.example, dkim: {active: s1}}\n"
    )
    raw = with_file(tmp_path, text, domainDefaults={"dkim": dkim})
    found = [domain.dkim for domain in read(raw, tmp_path).domains[2:]]
    assert [one.active_selector for one in found] == ["s2", "k1", "s1"]
    assert [bool(one.seen) for one in found] == [True, False, False]
    assert [one.bits for one in found] == [3072, 3072, 3072]
    text = "- {name: a.example, dkim: {keys: brand}}\n"
    raw = with_file(tmp_path, text, domainDefaults={"dkim": {"active": "s2"}})
    assert read(raw, tmp_path).domains[2].dkim.active is None
