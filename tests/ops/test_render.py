import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from typer.testing import CliRunner

from ops.render import example_releases, register, write
from ops.stackfile import stack_names
from policy.errors import UserError
from tests.examples import LARGE, SMALL, settings_of, text_of


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    result = CliRunner().invoke(app, ["render", *arguments])
    if isinstance(result.exception, UserError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("stack", stack_names())
def test_each_stack_of_the_repository_renders_to_files_at_their_live_paths(
    stack: str, tmp_path: Path
) -> None:
    output = run("--stack", stack, "--out", str(tmp_path / "out"))
    out = tmp_path / "out"
    assert (out / "mta/opt/kumomta/etc/policy/init.lua").is_file()
    assert (out / "mta/etc/default/kumomta").stat().st_mode & 0o777 == 0o600
    assert (out / "proxy-1/opt/kumomta/etc/proxy/init.lua").is_file()
    described = json.loads((out / "mta.json").read_text())
    for file in described["files"]:
        path = out / "mta" / file["path"].lstrip("/")
        assert f"{path.stat().st_mode & 0o7777:04o}" == file["mode"]
    assert "mta: " in output


def test_keys_and_tokens_are_valid_and_new_each_time() -> None:
    settings = settings_of(SMALL)
    first, second = (example_releases(settings)[0] for _ in range(2))
    key = text_of(first, "/opt/kumomta/etc/dkim/example.com/s1.key")
    assert load_pem_private_key(key.encode(), password=None)
    environment = "/etc/default/kumomta"
    assert text_of(first, environment) != text_of(second, environment)


def test_what_is_printed_holds_no_content(tmp_path: Path) -> None:
    output = run("--stack", "dev", "--out", str(tmp_path / "out"))
    environment = (tmp_path / "out/mta/etc/default/kumomta").read_text()
    token = re.search('PING8_WEBHOOK_TOKEN="([^"]+)"', environment)
    assert token is not None
    assert token[1] not in output
    assert token[1] not in (tmp_path / "out/mta.json").read_text()


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        run("--stack", "dev", "--out", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="not a folder"):
        run("--stack", "dev", "--out", str(tmp_path / "file"))


def test_rendering_again_replaces_what_was_rendered_and_nothing_else(tmp_path: Path) -> None:
    write(example_releases(settings_of(LARGE)), tmp_path)
    (tmp_path / "notes").write_text("mine")
    write(example_releases(settings_of(SMALL)), tmp_path)
    assert (tmp_path / "notes").read_text() == "mine"
    assert not (tmp_path / "proxy-2").exists()
    assert not (tmp_path / "mta/etc/systemd/system/ping8-logs-ship.service").exists()


def test_an_unknown_stack_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="prodd"):
        run("--stack", "prodd", "--out", str(tmp_path / "out"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_a_given_certificate_is_replaced_by_one_that_goes_with_the_throw_away_key(
    tmp_path: Path,
) -> None:
    write(example_releases(settings_of(LARGE)), tmp_path)
    tls = tmp_path / "mta/etc/ping8/tls"
    public = [
        subprocess.run(["openssl", *command], check=True, capture_output=True).stdout
        for command in (
            ["x509", "-in", f"{tls}/fullchain.pem", "-noout", "-pubkey"],
            ["pkey", "-in", f"{tls}/privkey.pem", "-pubout"],
        )
    ]
    assert public[0] == public[1]
