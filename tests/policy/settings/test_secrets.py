"""Given secrets are checked, and never shown."""

import secrets as random_source
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_public_key,
)
from pydantic import SecretStr

from policy.settings import given_secrets
from policy.settings.given_keys import dkim_pair, ssh_pair
from policy.settings.secret_checks import token_problems
from policy.settings.secret_values import UnknownSecret
from tests.policy.settings.good import changed, problems, read, setting
from tests.policy.settings.refusals_operation import certificate_for

TOKEN = random_source.token_urlsafe(32)
OTHER = random_source.token_urlsafe(32)


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, form: str = "PKCS8") -> str:
    return key.private_bytes(Encoding.PEM, getattr(PrivateFormat, form), NoEncryption()).decode()


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


RSA = rsa_key()
ED = ed25519.Ed25519PrivateKey.generate()
LOCKED = RSA.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase")
).decode()

NONE = None


def secret(text: str) -> SecretStr:
    return SecretStr(text)


def test_good_secrets_are_accepted() -> None:
    raw = changed(
        setting("domains[0].dkim", {"ed25519": True}),
        setting("proxies[0].authentication", True),
        webhookToken=secret(TOKEN),
        injectionToken=secret(OTHER),
        proxyPassword=secret(TOKEN[:20]),
        deployKey=secret(pem(ED, "OpenSSH")),
        hostKeys={"mta-1": secret(pem(ed25519.Ed25519PrivateKey.generate(), "OpenSSH"))},
        dkimKeys={
            "Example.com./S1": secret(pem(RSA, "TraditionalOpenSSL")),
            "example.com/s1-ed": secret(pem(ED)),
        },
    )
    assert problems(raw) == ()
    given, malformed = given_secrets(raw)
    assert malformed == ()
    assert set(given.dkim_keys) == {"example.com/s1", "example.com/s1-ed"}


TOKENS = ("webhookToken", "injectionToken", "previousInjectionToken")
TOKEN_REFUSALS = {
    "equal tokens": ((TOKEN, TOKEN, NONE), "injectionToken", "equals webhookToken"),
    "previous is the webhook's": (
        (TOKEN, OTHER, TOKEN),
        "previousInjectionToken",
        "equals webhookToken",
    ),
    "previous is the new one": (
        (TOKEN, OTHER, OTHER),
        "previousInjectionToken",
        "nothing is being rotated",
    ),
    "short": (("abcDEF123", NONE, NONE), "webhookToken", "it has 9"),
    "long": ((NONE, TOKEN * 9, NONE), "injectionToken", "32 to 128"),
    "blank inside": ((TOKEN + " x", NONE, NONE), "webhookToken", "letters, digits"),
    "line break": ((TOKEN + "\n", NONE, NONE), "webhookToken", "letters, digits"),
    "quote": ((NONE, TOKEN + '"', NONE), "injectionToken", "letters, digits"),
    "dollar sign": ((NONE, TOKEN + "$x", NONE), "injectionToken", "letters, digits"),
    "umlaut": ((NONE, NONE, TOKEN + "ü"), "previousInjectionToken", "letters, digits"),
    "one letter repeated": (("a" * 40, NONE, NONE), "webhookToken", "random value"),
}


@pytest.mark.parametrize("name", TOKEN_REFUSALS)
def test_a_token_is_refused_without_being_shown(name: str) -> None:
    values, key, fix = TOKEN_REFUSALS[name]
    tokens = {
        text: SecretStr(value)
        for text, value in zip(TOKENS, values, strict=True)
        if value is not None
    }
    (problem,) = token_problems(tokens)
    assert problem.key == f"ping8-mail:{key}"
    assert fix in problem.fix
    assert not any(value in str(problem) for value in values if value is not None)


def test_tokens_are_compared_when_a_stack_is_read() -> None:
    found = problems(changed(webhookToken=secret(TOKEN), injectionToken=secret(TOKEN)))
    assert [problem.key for problem in found] == ["ping8-mail:injectionToken"]


def test_tokens_of_unknown_value_are_passed_over() -> None:
    assert token_problems(dict.fromkeys(TOKENS, UnknownSecret())) == []


DKIM = 'dkimKeys["example.com/s1"]'
REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "empty token": ({"webhookToken": secret("")}, "webhookToken", "it is empty"),
    "token that a rotation has replaced": (
        {
            "webhookToken": secret(TOKEN),
            "tokens": {"webhook": {"made": ["2026-12-01T02:30:00Z"]}},
        },
        "webhookToken",
        "has replaced it: remove it",
    ),
    "previous token beside a kept one": (
        {
            "previousInjectionToken": secret(TOKEN),
            "tokens": {"injection": {"made": ["2026-12-01T02:30:00Z"], "keep": True}},
        },
        "previousInjectionToken",
        "keeps the token before the newest",
    ),
    "token in plain text": ({"webhookToken": TOKEN}, "webhookToken", "in plain text"),
    "DKIM key in plain text": ({"dkimKeys": {"example.com/s1": pem(RSA)}}, DKIM, "in plain text"),
    "password in plain text": ({"proxyPassword": TOKEN}, "proxyPassword", "in plain text"),
    "certificate key in plain text": ({"certificateKey": pem(RSA)}, "certificateKey", "in plain"),
    "DKIM keys that are no table": ({"dkimKeys": secret("x")}, "dkimKeys", "write a table"),
    "DKIM key that is none": (
        {"dkimKeys": {"example.com/s1": secret("hello")}},
        DKIM,
        "RSA or Ed25519 private key",
    ),
    "DKIM key with a passphrase": (
        {"dkimKeys": {"example.com/s1": secret(LOCKED)}},
        DKIM,
        "without a passphrase",
    ),
    "DKIM key of the wrong kind": ({"dkimKeys": {"example.com/s1": secret(pem(ED))}}, DKIM, "RSA"),
    "DKIM key of RSA for Ed25519": (
        {
            "domainDefaults": {"dkim": {"ed25519": True}},
            "dkimKeys": {"example.com/s1-ed": secret(pem(RSA))},
        },
        'dkimKeys["example.com/s1-ed"]',
        "needs an Ed25519 key",
    ),
    "DKIM key with too few bits": (
        {"dkimKeys": {"example.com/s1": secret(pem(rsa_key(1024)))}},
        DKIM,
        "has 1024 bits, which is too weak",
    ),
    "DKIM key whose place --path divided": (
        {"dkimKeys": {"example": {"com/s1": secret(pem(RSA))}}},
        "dkimKeys.example.com/s1",
        'set ping8-mail:dkimKeys["example.com/s1"], in brackets and quotes',
    ),
    "DKIM key with other bits than the settings say": (
        {"dkimKeys": {"example.com/s1": secret(pem(rsa_key(3072)))}},
        DKIM,
        "has 3072 bits but dkim.bits is 2048",
    ),
    "DKIM key of an unknown domain": (
        {"dkimKeys": {"exmple.com/s1": secret(pem(RSA))}},
        'dkimKeys["exmple.com/s1"]',
        "did you mean example.com/s1?",
    ),
    "DKIM key that two brands share": (
        {"dkimKeys": {n: secret(pem(RSA)) for n in ("example.com/s1", "news.example.net/s1")}},
        'dkimKeys["news.example.net/s1"]',
        "each brand needs its own",
    ),
    "host key of an unknown host": (
        {"hostKeys": {"proxy-2": secret(pem(ED, "OpenSSH"))}},
        'hostKeys["proxy-2"]',
        "did you mean proxy-1?",
    ),
    "host key that is not Ed25519": (
        {"hostKeys": {"mta-1": secret(pem(RSA))}},
        'hostKeys["mta-1"]',
        "Ed25519",
    ),
    "one SSH key for two purposes": (
        {"deployKey": secret(pem(ED)), "hostKeys": {"mta-1": secret(pem(ED, "OpenSSH"))}},
        "deployKey",
        "each key has one purpose",
    ),
    "password that no proxy uses it for": (
        {"proxyPassword": secret(TOKEN)},
        "proxyPassword",
        "no proxy uses it",
    ),
    "certificate key that is not used": (
        {"certificateKey": secret(pem(RSA))},
        "certificateKey",
        "would not be used",
    ),
    "certificate key that is none": (
        {
            "certificate": {"kind": "given", "chain": certificate_for("mta.mail.example.com")},
            "certificateKey": secret("x"),
        },
        "certificateKey",
        "in PEM without a passphrase",
    ),
    "certificate key of another certificate": (
        {
            "certificate": {"kind": "given", "chain": certificate_for("mta.mail.example.com")},
            "certificateKey": secret(pem(RSA)),
        },
        "certificateKey",
        "not the key of the first certificate",
    ),
    "plain setting given as a secret": (
        {"zone": secret("mail.example.com")},
        "zone",
        "not a secret",
    ),
    "secret inside a plain setting": (
        {"webhook": {"url": secret("https://app.example.com/")}},
        "webhook",
        "write it in plain text",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_secret_is_refused_without_being_shown(name: str) -> None:
    values, key, fix = REFUSALS[name]
    found = problems(changed(**values))
    assert [problem.key for problem in found] == [f"ping8-mail:{key}"]
    assert fix in found[0].fix
    text = str(found[0])
    assert TOKEN not in text
    assert "PRIVATE" not in text


def test_a_table_of_secrets_may_come_as_one_secret_text() -> None:
    """Pulumi hands a table over like this when a value in it is encrypted."""
    raw = changed(dkimKeys=SecretStr('{"example.com/s1": "hello"}'))
    (problem,) = problems(raw)
    assert problem.key == f"ping8-mail:{DKIM}"


def test_no_repr_shows_a_secret() -> None:
    raw = changed(webhookToken=secret(TOKEN), dkimKeys={"example.com/s1": secret(pem(RSA))})
    given, _ = given_secrets(raw)
    assert TOKEN not in repr(given)
    assert "PRIVATE" not in repr(given)
    read(raw)


def test_a_given_dkim_key_gets_the_forms_of_hosts_and_dns() -> None:
    pair = dkim_pair(secret(pem(RSA, "TraditionalOpenSSL")))
    private = pair.private.get_secret_value().encode()
    assert private.startswith(b"-----BEGIN PRIVATE KEY-----")
    key = load_pem_private_key(private, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    public = load_pem_public_key(pair.public.encode())
    assert public == key.public_key() == RSA.public_key()


@pytest.mark.parametrize("form", ["OpenSSH", "PKCS8"])
def test_a_given_ssh_key_gets_the_forms_of_openssh(form: str) -> None:
    pair = ssh_pair(secret(pem(ED, form)))
    assert pair.private.get_secret_value().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert load_ssh_public_key(pair.public.encode()) == ED.public_key()
