"""Secrets: generated unless given."""

import json

from tests.components import shapes
from tests.components.program import Program, pushed

GENERATED = {
    "mail-credentials-webhook-token",
    "mail-credentials-injection-token",
    "mail-credentials-deploy",
    "mail-credentials-host-mta-1",
    "mail-credentials-dkim-example.com-s1",
}


def made(program: Program) -> set[str]:
    """Names of everything that is generated."""
    return {
        item.name for kind in ("PrivateKey", "RandomPassword") for item in program.of_type(kind)
    }


def files(program: Program, host: str = "mta-1") -> dict[str, str]:
    """Files of a host's release, by path."""
    stdin = pushed(program.one("Command", f"mail-release-{host}-push"))
    return {path: content.get("text", "") for path, content in stdin["contents"].items()}


def test_what_is_not_given_is_generated() -> None:
    assert made(shapes.program("minimal")) >= GENERATED


def test_what_is_given_is_not_generated() -> None:
    program = shapes.program("given-secrets")
    assert not made(program) & GENERATED
    assert "mail-credentials-dkim-example.com-s2" in made(program)


def test_given_secrets_reach_the_hosts_and_secrets_manager() -> None:
    program = shapes.program("given-secrets")
    given = shapes.shapes()["given-secrets"].secrets
    everything = "\n".join(files(program).values())
    for key in ("webhookToken", "injectionToken", "previousInjectionToken"):
        assert given[key] in everything
    stored = {item.inputs["secretString"] for item in program.of_type("SecretVersion")}
    assert stored == {given["webhookToken"], given["injectionToken"]}


def test_a_given_dkim_key_is_on_the_host_and_its_public_half_in_dns() -> None:
    program = shapes.program("given-secrets")
    record = program.one(
        "aws:route53/record:Record", "mail-dns-txt-s1.example.com.dkim.mail.example.com"
    )
    assert "records" not in record.secret
    assert record.inputs["records"][0].startswith("v=DKIM1; k=rsa; p=")
    other = shapes.program("minimal").one(
        "aws:route53/record:Record", "mail-dns-txt-s1.example.com.dkim.mail.example.com"
    )
    assert record.inputs["records"] != other.inputs["records"]
    key = files(program)["/opt/kumomta/etc/dkim/example.com/s1.key"]
    assert key.startswith("-----BEGIN PRIVATE KEY-----")


def test_proxy_hosts_get_no_token_and_no_dkim_key() -> None:
    program = shapes.program("given-secrets")
    given = shapes.shapes()["given-secrets"].secrets
    everything = json.dumps(files(program, "proxy-1"))
    assert given["webhookToken"] not in everything
    assert given["injectionToken"] not in everything
    assert "PRIVATE KEY" not in everything


def test_a_proxy_password_is_generated_if_a_proxy_requires_one() -> None:
    assert "mail-credentials-proxy-password" in made(shapes.program("outbox"))
    assert "mail-credentials-proxy-password" not in made(shapes.program("minimal"))


def test_tokens_have_256_bits_of_letters_and_digits() -> None:
    for item in shapes.program("minimal").of_type("RandomPassword"):
        assert (item.inputs["length"], item.inputs["special"]) == (43, False)


def test_dkim_keys_have_the_size_and_kind_of_the_settings() -> None:
    keys = {
        item.name.removeprefix("mail-credentials-dkim-news.mail.example.com-"): item.inputs
        for item in shapes.program("outbox").of_type("PrivateKey")
        if "-dkim-" in item.name
    }
    assert {name: inputs["algorithm"] for name, inputs in keys.items()} == {
        "s1": "RSA",
        "s2": "RSA",
        "s1-ed": "ED25519",
        "s2-ed": "ED25519",
    }
    assert keys["s1"]["rsaBits"] == 2048


def test_every_host_has_its_own_host_key() -> None:
    names = made(shapes.program("many-sources"))
    assert {f"mail-credentials-host-{host}" for host in ("mta-1", "proxy-1", "proxy-2")} <= names
