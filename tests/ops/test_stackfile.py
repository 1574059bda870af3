"""Stack files are read without Pulumi."""

import errno
import os
from pathlib import Path

import pytest

from ops.stackfile import read_stack_file, stack_names, write_setting
from policy.errors import UserError
from policy.settings import SettingsError

SMALLEST = """\
config:
  aws:region: eu-central-1
  ping8-mail:zone: mail.example.com
  ping8-mail:webhook: {url: https://app.example.com/events}
  ping8-mail:operators: {cidrs: [198.51.100.7/32]}
  ping8-mail:domains: [example.net]
"""


def write(directory: Path, text: str) -> None:
    (directory / "Pulumi.test.yaml").write_text(text, "utf-8")


@pytest.mark.parametrize("stack", stack_names())
def test_every_example_stack_is_without_a_problem(stack: str) -> None:
    assert read_stack_file(stack).environment == stack


def test_there_is_an_example_for_each_environment() -> None:
    assert {"dev", "staging", "prod", "sandbox"} <= set(stack_names())


def test_the_production_example_shows_what_can_be_said() -> None:
    prod = read_stack_file("prod")
    assert len(prod.sources) > 3
    assert any(source.allocation_id for source in prod.sources)
    assert any(len(set(pool.sources.values())) > 1 for pool in prod.pools)
    assert any(brand.isolated for brand in prod.brands)
    assert any(prod.zone_of(domain) is None for domain in prod.domains)
    assert any(domain.dkim.ed25519 for domain in prod.domains)
    assert prod.domains_file == "prod.domains.yaml"


def test_the_smallest_example_has_ten_lines_at_most() -> None:
    text = (Path(__file__).parents[2] / "stacks" / "Pulumi.dev.yaml").read_text("utf-8")
    assert len([line for line in text.splitlines() if not line.strip().startswith("#")]) <= 10


def test_an_encrypted_secret_counts_as_given(tmp_path: Path) -> None:
    write(
        tmp_path,
        SMALLEST + "  ping8-mail:webhookToken: {secure: v1:c2FsdA==:dGV4dA==}\n"
        "  ping8-mail:injectionToken: {secure: v1:c2FsdA==:dGV4dA==}\n"
        "  ping8-mail:dkimKeys:\n    example.net/s1: {secure: v1:c2FsdA==:dGV4dA==}\n",
    )
    assert read_stack_file("test", tmp_path).zone == "mail.example.com"


def test_a_value_that_pulumi_cloud_encrypted_is_accepted(tmp_path: Path) -> None:
    write(tmp_path, SMALLEST + "  ping8-mail:webhookToken: {secure: AAABAHdlYmhvb2s=}\n")
    assert read_stack_file("test", tmp_path).zone == "mail.example.com"


def test_an_encrypted_key_of_an_unknown_selector_is_refused(tmp_path: Path) -> None:
    write(
        tmp_path,
        SMALLEST + "  ping8-mail:dkimKeys:\n    example.net/s3: {secure: v1:c2FsdA==:dGV4dA==}\n",
    )
    with pytest.raises(SettingsError, match=r"did you mean example\.net/s"):
        read_stack_file("test", tmp_path)


def test_an_encrypted_setting_that_is_no_secret_is_refused(tmp_path: Path) -> None:
    write(tmp_path, SMALLEST + "  ping8-mail:tags: {a: {secure: v1:c2FsdA==:dGV4dA==}}\n")
    with pytest.raises(SettingsError, match="write it in plain text"):
        read_stack_file("test", tmp_path)


def test_a_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    write(tmp_path, SMALLEST)
    with pytest.raises(UserError, match="did you mean test"):
        read_stack_file("tset", tmp_path)


def test_a_name_like_no_other_lists_those_there_are(tmp_path: Path) -> None:
    write(tmp_path, SMALLEST)
    with pytest.raises(UserError, match="use one of: test"):
        read_stack_file("xyzzy", tmp_path)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("config: [\n", "not valid YAML: line 2"),
        ("zone: x\n", "under `config:`"),
        ("config:\n", "a value is missing"),
    ],
)
def test_a_malformed_file_is_refused_in_one_line(tmp_path: Path, text: str, fix: str) -> None:
    write(tmp_path, text)
    with pytest.raises(UserError, match=fix) as caught:
        read_stack_file("test", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_region_is_a_problem_like_any_other(tmp_path: Path) -> None:
    write(tmp_path, SMALLEST.replace("aws:region", "aws:profile"))
    with pytest.raises(SettingsError, match="aws:region"):
        read_stack_file("test", tmp_path)


@pytest.mark.parametrize("stack", ["acme/ping8-mail/dev", "acme/dev"])
def test_a_stack_is_found_by_its_full_name(stack: str) -> None:
    assert read_stack_file(stack).environment == "dev"


def test_a_missing_region_is_named_with_its_place(tmp_path: Path) -> None:
    text = SMALLEST.replace("  aws:region: eu-central-1\n", "")
    (tmp_path / "Pulumi.lab.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"aws:region.*AWS_REGION and AWS profiles are ignored"):
        read_stack_file("lab", tmp_path)


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, SMALLEST)
    (path,) = tmp_path.iterdir()
    path.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(path.name)
    write_setting(link, "ping8-mail:kumomta", {"version": "2026.09.29-b90d8bc1"})
    assert "2026.09.29-b90d8bc1" in path.read_text()
    assert (path.stat().st_mode & 0o777, link.is_symlink()) == (0o640, True)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = path.read_text()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_setting(path, "ping8-mail:kumomta", {"version": "2026.10.01-0123456789"})
    assert path.read_text() == before
    assert sorted(tmp_path.iterdir()) == [path, link]
