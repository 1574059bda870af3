"""The settings room: what it refuses, and that nobody else reads the stack file."""

import ast
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime.config import set_all_config

from components import config
from policy.dns import answers
from tests.components import shapes
from tests.components.program import run

ROOT = Path(__file__).parents[2]

SOURCES = [
    {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
    {"name": "out-2", "proxy": "proxy-1", "ehlo": "out2"},
]
TOKEN = "a-Token-of-0123456789-characters-enough"

REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a webhook without TLS": ({"webhook": {"url": "http://app.example.com/"}}, {}, "webhook.url"),
    "one secret used twice": (
        {},
        {"webhookToken": TOKEN, "injectionToken": TOKEN},
        "ping8-mail:injectionToken",
    ),
    "a secret in plain text": ({"webhookToken": TOKEN}, {}, "ping8-mail:webhookToken"),
    "a misspelt key": ({"operatrs": {}}, {}, "did you mean operators?"),
    "an EHLO name outside our zone": (
        {"sources": [SOURCES[0] | {"ehlo": "out1.example.org"}]},
        {},
        "sources[0].ehlo",
    ),
    "an EHLO name of two addresses": (
        {
            "sources": [SOURCES[0], SOURCES[1] | {"ehlo": "out1"}],
            "pools": [{"name": "shared-default", "sources": {"proxy-default": 1, "out-2": 1}}],
        },
        {},
        "sources[1].ehlo",
    ),
    "a pool of an unknown source": (
        {"pools": [{"name": "shared-default", "sources": {"proxy-defualt": 1}}]},
        {},
        "pools[0].sources",
    ),
    "a brand without its pool": (
        {"brands": [{"name": "default", "pool": "nowhere"}]},
        {},
        "brands[0].pool",
    ),
    "isolated brands with a common source": (
        {
            "pools": [
                {"name": "shared-default", "sources": {"proxy-default": 1}},
                {"name": "shop", "sources": {"proxy-default": 1}},
            ],
            "brands": [
                {"name": "default", "pool": "shared-default"},
                {"name": "shop", "pool": "shop", "isolated": True},
            ],
            "domains": ["example.com", {"name": "shop.example", "brand": "shop"}],
        },
        {},
        "proxy-default",
    ),
    "a sender domain twice": ({"domains": ["example.com", "EXAMPLE.com."]}, {}, "domains[1]"),
    "a short RSA key": (
        {"domains": [{"name": "example.com", "dkim": {"bits": 1024}}]},
        {},
        "dkim.bits",
    ),
    "SSH open to the world": ({"operators": {"cidrs": ["0.0.0.0/0"]}}, {}, "operators.cidrs"),
    "overlapping subnets": (
        {"network": {"subnets": ["10.8.0.0/24", "10.8.0.0/25"]}},
        {},
        "network.subnets",
    ),
    "more Elastic IPs than AWS allows": ({"elasticIpQuota": 1}, {}, "elasticIpQuota"),
    "a spool smaller than the backlog": ({"mta": {"spoolGib": 1}}, {}, "mta.spoolGib"),
    "a KumoMTA that is too old": ({"kumomta": {"version": "2025.01.01-aaa"}}, {}, "version"),
    "eleven SPF look-ups": (
        {
            "domains": [
                {
                    "name": "example.com",
                    "spf": {"include": [f"_spf{n}.example.org" for n in range(11)]},
                }
            ]
        },
        {},
        "spf.include",
    ),
    "a domain that DNS does not have": (
        {"domains": ["example.com"], "domainDefaults": {"whenUnpublished": "refuse"}},
        {},
        "whenUnpublished = refuse: DNS does not have the records of example.com: run",
    ),
    "no region": ({"aws:region": ""}, {}, "aws:region"),
}


@pytest.mark.parametrize("mistake", REFUSALS)
def test_a_mistake_stops_the_program_before_anything_is_registered(
    mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, secrets, place = REFUSALS[mistake]
    registered = []
    monkeypatch.setattr(
        "components.platform.MailPlatform.__init__", lambda *_, **__: registered.append(mistake)
    )
    with pytest.raises(pulumi.RunError, match="nothing was changed") as refusal:
        run(shapes.MINIMAL | changes, secrets)
    assert place in str(refusal.value)
    assert TOKEN not in str(refusal.value)
    assert registered == []


def test_examples_left_in_place_stop_an_update_and_warn_in_a_preview(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(pulumi.RunError, match="nothing was changed") as refusal:
        run(shapes.MINIMAL, examples=False)
    assert "ping8-mail:zone = mail.example.com: this is an example" in str(refusal.value)
    run(shapes.MINIMAL, examples=False, preview=True)
    assert "ping8-mail:zone = mail.example.com: this is an example" in caplog.text


def test_a_domain_may_send_once_its_records_were_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "STACKS", tmp_path)
    waits = {
        "domains": [{"name": "example.com", "dkim": {"keys": "brand"}}],
        "domainDefaults": {"whenUnpublished": "refuse"},
    }
    with pytest.raises(pulumi.RunError, match=r"the records of example\.com: run"):
        run(shapes.MINIMAL | waits, preview=True)
    seen = {
        "s1._domainkey CNAME": ["s1.default.dkim.mail.example.com"],
        "bounce CNAME": ["default.bounce.mail.example.com"],
    }
    line = json.dumps({"domain": "example.com", "since": "2026-11-29", "seen": seen})
    file = answers.file_of("test", tmp_path)
    file.write_text(f"{line}\n", "utf-8")
    assert run(shapes.MINIMAL | waits, preview=True).outputs["settings"]["domains"]
    file.write_text("hello\n", "utf-8")
    with pytest.raises(pulumi.RunError, match=r"/test\.published\.jsonl line 1 = hello: Invalid"):
        run(shapes.MINIMAL | waits, preview=True)


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(pulumi.RunError) as refusal:
        run(
            shapes.MINIMAL
            | {"webhook": {"url": "http://app.example.com/"}, "operators": {"cidrs": ["0.0.0.0/0"]}}
        )
    assert "2 problems" in str(refusal.value)


def test_records_that_contradict_each_other_are_refused_like_any_other_mistake() -> None:
    domains = [
        {"name": "shop.mail.example.com", "spf": {"include": ["_spf.example.org"]}},
        {"name": "news.mail.example.com", "bounce": "shop.mail.example.com"},
    ]
    with pytest.raises(pulumi.RunError, match=r"shop\.mail\.example\.com"):
        run(shapes.MINIMAL | {"domains": domains})


def test_a_full_subnet_is_refused_like_any_other_mistake() -> None:
    sources = [{"name": f"s-{n}", "proxy": "proxy-1", "ehlo": f"s{n}"} for n in range(11)]
    shared = {source["name"]: 1 for source in [SOURCES[0], *sources]}
    with pytest.raises(pulumi.RunError, match=r"10\.8\.0\.0/28"):
        run(
            shapes.MINIMAL
            | {
                "elasticIpQuota": 20,
                "network": {"subnets": ["10.8.0.0/28", "10.8.1.0/28"]},
                "proxies": [{"name": "proxy-1", "instanceType": "c7g.4xlarge"}],
                "sources": [SOURCES[0], *sources],
                "pools": [{"name": "shared-default", "sources": shared}],
            }
        )


def test_numbers_and_switches_arrive_as_text_and_are_understood() -> None:
    program = run(shapes.MINIMAL | {"protect": "false", "elasticIpQuota": "7"})
    assert program.outputs["settings"]["protect"] is False
    assert program.outputs["settings"]["elasticIpQuota"] == 7


def test_a_date_without_quotes_is_understood() -> None:
    warm_up = {"proxy-default": {"start": datetime.date(2026, 12, 1), "daily": [500]}}
    program = run(shapes.MINIMAL | {"shaping": {"warmUp": warm_up}})
    assert (
        program.outputs["settings"]["shaping"]["warmUp"]["proxy-default"]["start"] == "2026-12-01"
    )


def test_the_command_line_hands_the_stack_over_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {
        "aws:region": "eu-central-1",
        "ping8-mail:zone": "mail.example.com",
        "ping8-mail:webhook": json.dumps({"url": "https://app.example.com/events"}),
        "ping8-mail:operators": json.dumps({"cidrs": ["198.51.100.0/28"]}),
        "ping8-mail:webhookToken": TOKEN,
    }
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(values))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps(["ping8-mail:webhookToken"]))
    given = []

    def program() -> None:
        set_all_config({}, [])
        found = config.read()
        given.append((found.settings.zone, found.given.texts.get("webhook_token")))

    run({}, program=program)
    ((zone, token),) = given
    assert zone == "mail.example.com"
    assert token is not None


READERS = {
    "Config",
    "get_config",
    "get_config_env",
    "get_config_secret_keys_env",
    "is_config_secret",
    "CONFIG",
    "get_secret_value",
}
"""Names by which a program could see the stack's configuration, or a secret in plain text."""


def readers(code: str) -> set[str]:
    """Which of them the code names."""
    return {name for name in _names(ast.parse(code)) if name in READERS}


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.name.rpartition(".")[2]


@pytest.mark.parametrize(
    "path",
    [ROOT / "__main__.py", *(ROOT / "components").rglob("*.py")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_only_the_settings_room_reads_the_configuration(path: Path) -> None:
    found = readers(path.read_text("utf-8"))
    if path == ROOT / "components" / "config.py":
        assert found
    else:
        assert found == set()


@pytest.mark.parametrize(
    "code",
    [
        "import pulumi\npulumi.Config().require('x')",
        "from pulumi import Config as C",
        "secret.get_secret_value()",
        "from pulumi.runtime.config import get_config",
    ],
)
def test_a_reader_elsewhere_would_be_found(code: str) -> None:
    assert readers(code)
