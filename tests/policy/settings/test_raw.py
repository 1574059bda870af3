"""Values as Pulumi hands them over become the values of a stack file."""

from pydantic import SecretStr

from policy.settings import from_pulumi
from policy.settings.raw import from_stack_file
from policy.settings.secret_values import UnknownSecret
from tests.policy.settings.good import read


def test_only_our_keys_are_taken_without_their_namespace() -> None:
    values = {"ping8-mail:zone": "mail.example.com", "aws:region": "eu-central-1"}
    assert from_pulumi(values, ()) == {"zone": "mail.example.com"}


def test_lists_and_tables_are_decoded_and_other_text_is_kept() -> None:
    values = {
        "ping8-mail:domains": '["example.com"]',
        "ping8-mail:webhook": '{"url": "https://app.example.com/"}',
        "ping8-mail:elasticIpQuota": "7",
        "ping8-mail:domainsFile": "[odd.yaml",
    }
    assert from_pulumi(values, ()) == {
        "domains": ["example.com"],
        "webhook": {"url": "https://app.example.com/"},
        "elasticIpQuota": "7",
        "domainsFile": "[odd.yaml",
    }


def test_secrets_come_in_a_type_that_does_not_print() -> None:
    values = {"ping8-mail:webhookToken": "s3cret", "ping8-mail:dkimKeys": '{"a/b": "s3cret"}'}
    raw = from_pulumi(values, values.keys())
    assert all(isinstance(value, SecretStr) for value in raw.values())
    assert "s3cret" not in repr(raw)


def test_settings_come_through_pulumi_unchanged() -> None:
    values = {
        "ping8-mail:zone": "mail.example.com",
        "ping8-mail:operators": '{"cidrs": ["198.51.100.7/32"]}',
        "ping8-mail:webhook": '{"url": "https://app.example.com/", "batchSize": 50}',
        "ping8-mail:domains": '["example.net", {"name": "b.example", "dkim": {"bits": 4096}}]',
        "ping8-mail:protect": "false",
    }
    settings = read(from_pulumi(values, ()))
    assert settings.webhook.batch_size == 50
    assert settings.domains[1].dkim.bits == 4096
    assert settings.protect is False


def test_encrypted_values_of_a_stack_file_are_unknown_in_every_place() -> None:
    config = {
        "ping8-mail:webhookToken": {"secure": "v1:c2FsdA==:dGV4dA=="},
        "ping8-mail:dkimKeys": {"a/b": {"secure": "v1:c2FsdA==:dGV4dA=="}},
        "ping8-mail:tags": {"secure": "x", "other": "y"},
    }
    raw = from_stack_file(config)
    assert isinstance(raw["webhookToken"], UnknownSecret)
    assert isinstance(raw["dkimKeys"], dict)
    assert isinstance(raw["dkimKeys"]["a/b"], UnknownSecret)
    assert raw["tags"] == {"secure": "x", "other": "y"}
