"""The program as a whole: its outputs, its previews, and that its tests can fail."""

import json
import subprocess
from typing import Any

import pulumi
import pytest
import yaml

from components.firewall import HOUSE
from policy.settings import Settings
from policy.settings.export import unpacked
from sandbox.engine import pinned_version
from tests.components import shapes
from tests.components.cloud import public_address
from tests.components.program import run, unknown

every_shape = pytest.mark.parametrize("shape", shapes.NAMES)


def test_the_outputs_are_these() -> None:
    assert set(shapes.program("minimal").outputs) == {
        "injection_url",
        "hosts",
        "egress",
        "records_to_publish",
        "releases",
        "log_in",
        "injection_addresses",
        "settings",
        "token_secrets",
        "webhook_token",
        "injection_token",
    }


@every_shape
def test_only_the_tokens_are_secret_outputs(shape: str) -> None:
    assert shapes.program(shape).secret_outputs == {"webhook_token", "injection_token"}


def test_outputs_say_where_to_inject_and_how_to_log_in() -> None:
    outputs = shapes.program("minimal").outputs
    address = public_address("mail-address-mta-1-eip")
    assert outputs["injection_url"] == "https://mta.mail.example.com/api/inject/v1"
    assert outputs["log_in"]["mta-1"] == f"ssh ping8@{address}"
    host = outputs["hosts"]["mta-1"]
    assert (host["role"], host["address"], host["user"]) == ("mta", address, "ping8")
    assert host["host_key"].startswith("ssh-ed25519 ")
    assert outputs["releases"] == {"mta-1": host["release_id"], "proxy-1": host["release_id"]}


def test_outputs_say_which_address_each_source_has() -> None:
    source = shapes.program("many-sources").outputs["egress"]["out-3"]
    assert source["ehlo"] == "out3.mail.example.com"
    assert source["public"] == public_address("eipalloc-0123456789abcdef0")
    assert source["proxy"] == "proxy-2"
    assert source["pools"] == ["shared-default"]


@every_shape
def test_records_to_publish_are_known_before_anything_exists(shape: str) -> None:
    records = shapes.program(shape, preview=True).outputs["records_to_publish"]
    assert not unknown(records)
    assert records == shapes.program(shape).outputs["records_to_publish"]


@every_shape
def test_a_preview_leaves_open_only_what_aws_decides(shape: str) -> None:
    program = shapes.program(shape, preview=True)
    assert unknown(program.outputs["log_in"]["mta-1"]) or shape in ("many-sources",)
    for item in program.of_type("NetworkInterface"):
        assert not unknown(item.inputs["privateIpLists"])
    for item in program.of_type("aws:route53/record:Record"):
        assert not unknown([item.inputs["name"], item.inputs["type"]])


@pytest.mark.parametrize("shape", [name for name in shapes.NAMES if name != "given-secrets"])
def test_operators_tools_read_the_settings_back_from_the_outputs(shape: str) -> None:
    shown = shapes.program(shape).outputs["settings"]
    assert Settings.model_validate(unpacked(shown)) == shapes.settings(shape)


def test_the_shown_settings_leave_out_what_is_left_to_defaults() -> None:
    assert "protect" not in shapes.program("minimal").outputs["settings"]


def test_a_false_assertion_inside_the_program_fails_the_run() -> None:
    def program() -> None:
        def judge(value: Any) -> None:
            assert value == "something else"

        pulumi.Output.from_input("a value").apply(judge)

    with pytest.raises(AssertionError):
        run({}, program=program)


def test_a_failing_resource_fails_the_run() -> None:
    def program() -> None:
        wrong = pulumi.Output.from_input("text").apply(int)
        pulumi.CustomResource("test:index:Broken", "broken", {"value": wrong})

    with pytest.raises(ValueError, match="invalid literal"):
        run({}, program=program)


def test_no_run_sees_what_another_left_behind() -> None:
    first = run({}, program=lambda: pulumi.export("one", 1))
    second = run({}, program=lambda: pulumi.export("two", 2))
    assert (dict(first.outputs), dict(second.outputs)) == ({"one": 1}, {"two": 2})


def test_pulumi_needs_nothing_but_the_virtual_environment() -> None:
    """No `uv` on the PATH, and no type checker before every operation."""
    project = yaml.safe_load((HOUSE / "Pulumi.yaml").read_text("utf-8"))
    assert project["runtime"] == {
        "name": "python",
        "options": {"toolchain": "pip", "virtualenv": ".venv"},
    }
    # As the language host asks for the plugins; `make setup` makes this environment.
    command = [str(HOUSE / ".venv/bin/python"), "-m", "pip", "list", "--format", "json"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env={})
    packages = {entry["name"] for entry in json.loads(said.stdout)}
    assert {"pulumi", "pulumi_aws", "pulumi_command", "pulumi_random", "pulumi_tls"} <= {
        name.replace("-", "_") for name in packages
    }


def test_the_sandboxs_engine_is_recent_enough_for_the_project() -> None:
    project = yaml.safe_load((HOUSE / "Pulumi.yaml").read_text("utf-8"))
    least = project["requiredPulumiVersion"].removeprefix(">=")
    assert [int(part) for part in pinned_version().split(".")] >= [
        int(part) for part in least.split(".")
    ]
