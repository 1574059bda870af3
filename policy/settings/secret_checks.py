"""Rules for configured secrets: alone, against each other, and against the settings."""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import TypeGuard

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import SecretStr

from policy.secrets import TEXTS
from policy.settings.dkim import RSA_BITS
from policy.settings.given_keys import PrivateKey, private_key
from policy.settings.model import Settings
from policy.settings.problems import PROJECT, Problem, nearest, one_of
from policy.settings.secret_values import GivenSecrets, UnknownSecret, hidden_problem

LONGEST_TOKEN = 128
_FEWEST_CHARACTERS = 10
_EQUAL = {
    ("webhookToken", "previousInjectionToken"): "each secret has one purpose, remove it",
    ("injectionToken", "previousInjectionToken"): "nothing is being rotated, remove it",
}
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750's b64token: needs no escape in an environment file, in Nginx or in a header."""


def token_problems(given: Mapping[str, SecretStr]) -> list[Problem]:
    """Problems of the tokens; those that are not set or unknown are skipped."""
    known = {
        text.key: secret.get_secret_value()
        for text in TEXTS
        if text.least and _known(secret := given.get(text.key))
    }
    problems = [
        hidden_problem(text.key, fix)
        for text in TEXTS
        if text.key in known and (fix := _token_fix(known[text.key], text.least)) is not None
    ]
    for other, key in itertools.combinations(known, 2):
        if known[key] == known[other]:
            fix = _EQUAL.get((other, key), "each secret has one purpose, choose another")
            problems.append(hidden_problem(key, f"it equals {other}: {fix}"))
    return problems


def _known(secret: SecretStr | None) -> TypeGuard[SecretStr]:
    return secret is not None and not isinstance(secret, UnknownSecret)


def _token_fix(token: str, shortest: int) -> str | None:
    if not shortest <= len(token) <= LONGEST_TOKEN:
        return f"use {shortest} to {LONGEST_TOKEN} characters; it has {len(token)}"
    if not _TOKEN.fullmatch(token):
        return (
            "use only letters, digits and -._~+/ (= at the end): environment files, Nginx and "
            "HTTP headers escape others differently"
        )
    if len(set(token)) < _FEWEST_CHARACTERS:
        return "it has too few different characters: use a random value"
    return None


def secret_problems(secrets: GivenSecrets, settings: Settings) -> list[Problem]:
    """Problems of the other secrets, alone and against these settings."""
    return [
        *_rotation_problems(secrets, settings),
        *_password_problems(secrets, settings),
        *_certificate_problems(secrets, settings),
        *_ssh_problems(secrets, settings),
        *_dkim_problems(secrets, settings),
    ]


def _rotation_problems(secrets: GivenSecrets, settings: Settings) -> Iterator[Problem]:
    tokens = {"injectionToken": settings.tokens.injection, "webhookToken": settings.tokens.webhook}
    for key, token in tokens.items():
        if key in secrets.single and token.kept[0]:
            yield hidden_problem(key, "`ping8 rotate token` has replaced it: remove it")
    if "previousInjectionToken" in secrets.single and tokens["injectionToken"].keep:
        yield hidden_problem(
            "previousInjectionToken",
            "tokens.injection keeps the token before the newest: remove it",
        )


def _password_problems(secrets: GivenSecrets, settings: Settings) -> Iterator[Problem]:
    asked = any(proxy.authentication for proxy in settings.proxies)
    if "proxyPassword" in secrets.single and not asked:
        fix = "no proxy uses it: set `authentication: true` of a proxy, or remove it"
        yield hidden_problem("proxyPassword", fix)
    if "limitsPassword" in secrets.single and settings.mta.nodes == 1:
        fix = "one node shares no limits: set `mta.nodes`, or remove it"
        yield hidden_problem("limitsPassword", fix)


def _certificate_problems(secrets: GivenSecrets, settings: Settings) -> Iterator[Problem]:
    secret, certificate = secrets.single.get("certificateKey"), settings.certificate
    if secret is None:
        if certificate.kind == "given":
            yield Problem(
                key=f"{PROJECT}:certificateKey",
                value="",
                fix="`certificate.kind: given` needs the key of the chain: set it with "
                "`pulumi config set --secret certificateKey < FILE`",
            )
        return
    if certificate.kind != "given":
        fix = "it would not be used: set `certificate.kind: given`, or remove it"
        yield hidden_problem("certificateKey", fix)
    if not _known(secret):
        return
    try:
        key = load_pem_private_key(secret.get_secret_value().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        fix = "use a private key in PEM without a passphrase"
        yield hidden_problem("certificateKey", fix)
        return
    public = _chain_key(certificate.chain)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public is not None and key.public_key().public_bytes(*form) != public:
        fix = "it is not the key of the first certificate of certificate.chain"
        yield hidden_problem("certificateKey", fix)


def _chain_key(chain: str | None) -> bytes | None:
    try:
        leaf = x509.load_pem_x509_certificates((chain or "").encode())[0]
    except ValueError:
        return None
    return leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _ssh_problems(secrets: GivenSecrets, settings: Settings) -> Iterator[Problem]:
    hosts = list(settings.roles)
    given = {f'hostKeys["{host}"]': secret for host, secret in secrets.host_keys.items()}
    for host in secrets.host_keys:
        if host not in hosts:
            fix = f"no host of this name is defined: {one_of(hosts, host)}"
            yield hidden_problem(f'hostKeys["{host}"]', fix)
    if "deployKey" in secrets.single:
        given["deployKey"] = secrets.single["deployKey"]
    used_by: dict[bytes, str] = {}
    for key, secret in given.items():
        if not _known(secret):
            continue
        found = private_key(secret)
        if not isinstance(found, Ed25519PrivateKey):
            fix = "use an Ed25519 private key without a passphrase (ssh-keygen -t ed25519 -N '')"
            yield hidden_problem(key, fix)
            continue
        first = used_by.setdefault(_public(found), key)
        if first != key:
            yield hidden_problem(key, f"it equals {first}: each key has one purpose, use another")


def _dkim_problems(secrets: GivenSecrets, settings: Settings) -> Iterator[Problem]:
    if not secrets.dkim_keys:
        return
    brands = {domain.name: domain.brand for domain in settings.domains}
    wanted = {
        f"{owner}/{selector}": (kind, dkim.bits, brands.get(owner, owner))
        for owner, dkim in settings.dkim_keys().items()
        for selector, kind in dkim.published()
    }
    used_by: dict[bytes, tuple[str, str]] = {}
    for place, secret in secrets.dkim_keys.items():
        key = f'dkimKeys["{place}"]'
        if place not in wanted:
            near = nearest(place, wanted)
            fix = f"did you mean {near}?" if near else "nothing has this selector."
            forms = "`<domain>/<selector>` or `<brand>/<selector>`"
            yield hidden_problem(key, f"{fix} Keys are named {forms}")
            continue
        if not _known(secret):
            continue
        kind, bits, brand = wanted[place]
        found = private_key(secret)
        wrong = _dkim_fix(found, kind, bits)
        if wrong is not None:
            yield hidden_problem(key, wrong)
        if found is not None:
            other, other_brand = used_by.setdefault(_public(found), (place, brand))
            if other_brand != brand:
                fix = f"brand {other_brand} has this key ({other}): each brand needs its own"
                yield hidden_problem(key, fix)


def _public(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _dkim_fix(key: PrivateKey | None, kind: str, bits: int) -> str | None:
    if key is None:
        return "use an RSA or Ed25519 private key in PEM without a passphrase"
    if isinstance(key, Ed25519PrivateKey):
        return None if kind == "ed25519" else "this selector needs an RSA key, not Ed25519"
    if kind != "rsa":
        return "this selector needs an Ed25519 key, not RSA"
    if key.key_size not in RSA_BITS:
        return (
            f"the key has {key.key_size} bits, which is too weak: leave it with the domain's old "
            "sender, remove it here, and choose other dkim.selectors for new keys"
        )
    if key.key_size != bits:
        return f"the key has {key.key_size} bits but dkim.bits is {bits}: make them match"
    return None
