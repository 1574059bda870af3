"""A secret in plain text is found under whatever key, and what is public is left alone."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from policy.settings.plain_secrets import looks_secret
from policy.settings.problems import HIDDEN, shown
from policy.settings.stack_file import stack_file_problems
from tests.policy.settings.good import changed, problems, setting

TOKEN = "q8Zr" + "4tVx9KpW2mYc7NdB5hLs3JfG6aQe1RuT"
KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIH\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tags", {"note": TOKEN}),
        ("tags", {"note": "AKIA" + "IOSFODNN7EXAMPLE"}),
        ("webhook.url", f"https://app.example.com/events/{TOKEN}"),
        ("webhook.url", "https://app.example.com/events?token=abcdefgh1"),
        ("shaping.overrides", {"default": {"note": KEY}}),
        ("domains[1].spf", {"include": [], "otherTxt": [KEY]}),
    ],
)
def test_a_secret_anywhere_is_refused_without_being_shown(path: str, value: object) -> None:
    found = problems(changed(setting(path, value)))
    wanted = [problem for problem in found if "in plain text" in problem.fix]
    assert wanted
    assert wanted[0].key.startswith(f"ping8-mail:{path}")
    assert not any(TOKEN in str(problem) or "MC4C" in str(problem) for problem in found)


def test_a_secret_in_the_file_of_domains_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"- {{name: a.example, dkimKey: {TOKEN}}}\n", "utf-8")
    found = problems(changed(domainsFile="x.yaml"), tmp_path)
    assert {problem.key for problem in found} == {"x.yaml[0].dkimKey"}
    assert not any(TOKEN in str(problem) for problem in found)


def test_a_private_key_among_the_ssh_keys_is_refused_without_being_shown() -> None:
    found = problems(changed(setting("operators.sshKeys", [KEY])))
    assert {problem.key for problem in found} == {"ping8-mail:operators.sshKeys[0]"}
    assert any("this is a private key" in problem.fix for problem in found)
    assert not any("MC4C" in str(problem) for problem in found)


def test_the_value_of_a_misspelt_key_does_not_show() -> None:
    (problem,) = problems(changed(proxyPasword="hunter2"))
    assert problem.value == HIDDEN
    assert "did you mean proxyPassword?" in problem.fix


@pytest.mark.parametrize(
    "text",
    [
        "eipalloc-0123456789abcdef0",
        "arn:aws:sns:eu-central-1:123456789012:operators-of-the-mail-platform",
        "https://acme-v02.api.letsencrypt.org/directory",
        "https://app.example.com/api/v1/organisations/messaging/kumo/events",
        "a-very-long-name-of-a-host-that-somebody-chose.mail.example.com",
        "2026.09.29-b90d8bc1",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_what_is_no_secret_is_not_taken_for_one(text: str) -> None:
    assert not looks_secret(text)
    assert shown(text) == text


def test_verification_records_and_public_keys_may_be_random() -> None:
    raw = changed(
        setting("domains[0].spf", {"otherTxt": [f"google-site-verification={TOKEN}"]}),
        setting(
            "operators.sshKeys",
            [
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAzBrkHjQgVeDMuaBvkmQddm5yqCoicEIMlMoXu8KWiy "
                "ada@example.com"
            ],
        ),
    )
    assert problems(raw) == ()


@pytest.mark.parametrize("value", [SecretStr("x"), {"a": KEY}, KEY, f"x {TOKEN}"])
def test_a_value_in_print_hides_what_looks_secret(value: object) -> None:
    assert shown(value) == HIDDEN


def test_a_password_in_a_url_does_not_show() -> None:
    raw = changed(setting("webhook.url", "https://me:s3cret@app.example.com/x"))
    (problem,) = problems(raw)
    assert problem.value == "https://(hidden)@app.example.com/x"
    assert "must not contain a secret" in problem.fix


def test_a_value_in_print_is_one_short_line() -> None:
    assert shown("a\nb") == '"a\\nb"'
    assert len(shown("ab " * 500)) <= 120


def test_one_plain_value_among_encrypted_ones_is_found_in_the_stack_file(tmp_path: Path) -> None:
    """Pulumi hands such a table over as if all of it were encrypted."""
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(
        "config:\n  ping8-mail:dkimKeys:\n    example.com/s1: {secure: v1:c2FsdA==:dGV4dA==}\n"
        "    example.com/s2: hello\n  ping8mail:zone: x\n",
        "utf-8",
    )
    found = stack_file_problems(file)
    assert [problem.key for problem in found] == [
        'ping8-mail:dkimKeys["example.com/s2"]',
        "ping8mail:zone",
    ]
    assert "did you mean ping8-mail:zone?" in found[1].fix
    assert {problem.key for problem in problems(changed(), tmp_path)} >= {found[0].key}
