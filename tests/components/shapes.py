"""Environments of every shape, as their stack files say them."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from policy.dns.answers import with_answers
from policy.settings import Settings, load
from tests.components.program import PROJECT, Program, run

STACKS = Path(__file__).parents[2] / "stacks"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Keys of a stack file, without the project's namespace."""

    config: Mapping[str, Any]
    secrets: Mapping[str, Any] = field(default_factory=dict)


MINIMAL: dict[str, Any] = {
    "zone": "mail.example.com",
    "webhook": {"url": "https://app.example.com/api/kumo/events"},
    "operators": {"cidrs": ["198.51.100.0/28"]},
    "domains": ["example.com"],
}

MANY_SOURCES: dict[str, Any] = MINIMAL | {
    "elasticIpQuota": 20,
    "operators": {
        "cidrs": ["198.51.100.0/28", "203.0.113.7/32"],
        "sshKeys": [
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f x"
        ],
    },
    "webhook": {"url": "https://app.example.com:8443/events"},
    "proxies": [
        {"name": "proxy-1"},
        {"name": "proxy-2", "port": 5001, "subnet": 1, "instanceType": "t3.small"},
    ],
    "sources": [
        {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
        {"name": "out-2", "proxy": "proxy-1", "ehlo": "out2.mail.example.com"},
        {
            "name": "out-3",
            "proxy": "proxy-2",
            "ehlo": "out3",
            "allocationId": "eipalloc-0123456789abcdef0",
        },
        {"name": "out-4", "proxy": "proxy-2", "ehlo": "out4"},
    ],
    "pools": [
        {
            "name": "shared-default",
            "sources": {"proxy-default": 5, "out-2": 3, "out-3": 1, "out-4": 1},
        }
    ],
    "mta": {
        "ami": "ami-0123456789abcdef0",
        "allocationIds": {"mta-1": "eipalloc-0fedcba9876543210"},
    },
    "tags": {"CostCentre": "mail"},
}

MANY_BRANDS: dict[str, Any] = MINIMAL | {
    "elasticIpQuota": 10,
    "sources": [
        {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
        {"name": "shop-1", "proxy": "proxy-1", "ehlo": "shop1"},
        {"name": "news-1", "proxy": "proxy-1", "ehlo": "news1"},
    ],
    "proxies": [{"name": "proxy-1", "instanceType": "t4g.medium"}],
    "pools": [
        {"name": "shared-default", "sources": {"proxy-default": 1}},
        {"name": "shop", "sources": {"shop-1": 1}},
        {"name": "news", "sources": {"news-1": 1}},
    ],
    "brands": [
        {"name": "default", "pool": "shared-default"},
        {"name": "shop", "pool": "shop", "isolated": True},
        {"name": "news", "pool": "news", "isolated": True},
    ],
    "domains": [
        {"name": "example.com", "zone": "example.com"},
        {"name": "shop.mail.example.com", "brand": "shop"},
        {
            "name": "news.example.net",
            "brand": "news",
            "zone": "example.net",
            "dmarc": {"policy": "reject", "report": "dmarc@example.net"},
            "spf": {"include": ["_spf.example.org"], "otherTxt": ["site-verification=abc"]},
        },
    ],
}

EXTERNAL_DNS: dict[str, Any] = MINIMAL | {
    "domains": [
        {
            "name": "customer.example",
            "dmarc": {"policy": "quarantine", "report": "dmarc@customer.example"},
            "spf": {"include": ["_spf.example.org"], "otherTxt": ["verification=1"]},
        },
        {"name": "other.example", "dkim": {"ed25519": True}, "bounce": "returns.other.example"},
        "ours.mail.example.com",
    ],
}

TWO_NODES: dict[str, Any] = MINIMAL | {
    "elasticIpQuota": 20,
    "mta": {"nodes": 2},
    "logs": {"ship": True, "bucket": "example-mail-logs"},
    "operators": {"cidrs": ["198.51.100.0/28"], "emails": ["ops@example.com"]},
}

OUTBOX: dict[str, Any] = MINIMAL | {
    "webhook": {
        "url": "https://app.example.com/events",
        "transport": "outbox",
        "batchSize": 100,
    },
    "domains": [{"name": "news.mail.example.com", "dkim": {"ed25519": True}}],
    "proxies": [{"name": "proxy-1", "authentication": True}],
    "certificate": {"kind": "self-signed"},
    "kumomta": {"preinstalled": True},
    "protect": False,
    "push": "always",
}


@functools.cache
def given_keys() -> Mapping[str, str]:
    """Private keys in the forms in which operators have them."""
    dkim = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    deploy = ed25519.Ed25519PrivateKey.generate()
    host = ed25519.Ed25519PrivateKey.generate()
    return {
        "dkim": dkim.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        ).decode(),
        "deploy": deploy.private_bytes(
            Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
        ).decode(),
        "host": host.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
    }


def _given_secrets() -> Mapping[str, Any]:
    keys = given_keys()
    return {
        "webhookToken": "given-webhook-token-0123456789abcdefghij",
        "injectionToken": "given-injection-token-0123456789abcdefgh",
        "previousInjectionToken": "given-previous-token-0123456789abcdefghi",
        "deployKey": keys["deploy"],
        "hostKeys": {"mta-1": keys["host"]},
        "dkimKeys": {"example.com/s1": keys["dkim"]},
    }


def shapes() -> dict[str, Shape]:
    """Every shape by name; the example stacks among them."""
    return {
        "minimal": Shape(config=MINIMAL),
        "many-sources": Shape(config=MANY_SOURCES),
        "many-brands": Shape(config=MANY_BRANDS),
        "external-dns": Shape(config=EXTERNAL_DNS),
        "given-secrets": Shape(config=MINIMAL, secrets=_given_secrets()),
        "two-nodes": Shape(config=TWO_NODES),
        "outbox": Shape(config=OUTBOX),
        **{
            name: example_stack(name)
            for name in ("dev", "staging", "prod")
            if _stack(name).exists()
        },
    }


def _stack(name: str) -> Path:
    return STACKS / f"Pulumi.{name}.yaml"


def example_stack(name: str) -> Shape:
    """A stack file that the repository brings."""
    keys = yaml.safe_load(_stack(name).read_text("utf-8"))["config"]
    return Shape(config={key.removeprefix(f"{PROJECT}:"): value for key, value in keys.items()})


NAMES = tuple(shapes())


def settings(name: str) -> Settings:
    """The settings of a shape that gives no secrets."""
    raw = {key: value for key, value in shapes()[name].config.items() if ":" not in key}
    loaded = load(raw, environment=name, region="eu-central-1", directory=STACKS)
    return with_answers(loaded, STACKS)


@functools.cache
def program(name: str, *, preview: bool = False) -> Program:
    """One run of a shape; the same for all who only read it."""
    shape = shapes()[name]
    return run(shape.config, shape.secrets, environment=name, preview=preview)
