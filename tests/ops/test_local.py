"""A stack of this machine says where its engine, state and keys are; commands find them."""

import json
from pathlib import Path

import pytest

from ops import local, render, stack
from ops.engine import run
from policy.errors import UserError
from tests.ops.doctor.deployment import outputs_of
from tests.ops.test_status import DEPLOYMENT


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine that gives outputs only with the passphrase, and in its own folder."""
    program = tmp_path / "pulumi"
    program.write_text(
        "#!/bin/sh\n"
        f'[ "$PULUMI_CONFIG_PASSPHRASE" = hidden ] && [ "$PWD" = {tmp_path} ] || exit 7\n'
        f"cat {tmp_path}/outputs.json\n"
    )
    program.chmod(0o755)
    told = {**outputs_of(DEPLOYMENT), "injection_token": "a-token"}
    (tmp_path / "outputs.json").write_text(json.dumps(told))
    file = tmp_path / "operator.json"
    monkeypatch.setattr(local, "_FILE", file)
    local.write(
        local.LocalStack(
            stack="small",
            pulumi=str(program),
            project=str(tmp_path),
            environment={"PULUMI_CONFIG_PASSPHRASE": "hidden"},
            ssh_config=str(tmp_path / "ssh_config"),
            operator_key="ssh-ed25519 AAAA sandbox",
            authorities="",
            resolver="198.51.100.53",
            updates=("env", f"OUT={tmp_path}/updated", "sh", "-c", 'echo "$PWD $*" > "$OUT"', "sh"),
        )
    )
    return file


def test_its_own_engine_reads_the_outputs_and_its_own_key_logs_in(engine: Path) -> None:
    deployment = stack.read_deployment("small")
    assert deployment.mta.ssh_config == str(engine.parent / "ssh_config")
    assert stack.secret_output("small", "injection_token").get_secret_value() == "a-token"


def test_its_own_command_runs_the_program(engine: Path) -> None:
    folder = engine.parent
    assert run("small", "up", "--yes")
    told = (folder / "updated").read_text()
    assert told == f"{folder} up --yes --stack small --non-interactive\n"


def test_only_its_owner_may_read_where_secrets_are(engine: Path) -> None:
    assert engine.stat().st_mode & 0o777 == 0o600


def test_another_stack_is_none_of_it(engine: Path) -> None:
    assert local.local_stack("prod") is None
    assert local.local_stack("small") is not None


@pytest.mark.parametrize("text", ["", "[", "{}", '{"stack": "small"}'])
def test_a_file_that_is_damaged_is_as_good_as_none(engine: Path, text: str) -> None:
    engine.write_text(text)
    assert local.local_stack("small") is None


def test_its_own_key_is_no_difference_from_the_live_release(engine: Path) -> None:
    settings = DEPLOYMENT.settings
    with_key = render.with_local_key("small", settings)
    assert with_key.operators.ssh_keys == (*settings.operators.ssh_keys, "ssh-ed25519 AAAA sandbox")
    assert render.with_local_key("another", settings) == settings


def test_a_sandbox_that_is_not_up_is_said_so(engine: Path) -> None:
    del engine
    with pytest.raises(UserError, match="no sandbox is up here; `make sandbox` brings one up"):
        stack.read_deployment("sandbox")
