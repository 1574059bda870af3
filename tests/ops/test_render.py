import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from typer.testing import CliRunner

from ops import render
from ops.main import build
from ops.render import deployed_addresses, since_release, write
from ops.ssh import AGENT
from ops.stack import Deployment, HostAccess
from ops.stackfile import stack_names
from policy.errors import UserError
from policy.release import ReleaseFile
from policy.render.check import example_releases, releases_with
from tests.examples import LARGE, SMALL, settings_of, text_of
from tests.ops.doctor.deployment import deployment_of


def run(*arguments: str) -> str:
    result = CliRunner().invoke(build(), ["render", *arguments])
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
    assert (out / "mta-1/opt/kumomta/etc/policy/init.lua").is_file()
    assert (out / "mta-1/etc/default/kumomta").stat().st_mode & 0o777 == 0o600
    assert (out / "proxy-1/opt/kumomta/etc/proxy/init.lua").is_file()
    described = json.loads((out / "mta-1.json").read_text())
    for file in described["files"]:
        path = out / "mta-1" / file["path"].lstrip("/")
        assert f"{path.stat().st_mode & 0o7777:04o}" == file["mode"]
    assert "mta-1: " in output


def test_keys_are_valid_and_two_renders_are_the_same_bytes(tmp_path: Path) -> None:
    key = text_of(
        example_releases(settings_of(SMALL))[0], "/opt/kumomta/etc/dkim/example.com/s1.key"
    )
    loaded = load_pem_private_key(key.encode(), password=None)
    assert isinstance(loaded, RSAPrivateKey)
    assert loaded.key_size == 2048
    bytes_ = []
    for place in ("a", "b"):
        write(example_releases(settings_of(LARGE)), tmp_path / place)
        files = sorted(path for path in (tmp_path / place).rglob("*") if path.is_file())
        bytes_.append([(str(p.relative_to(tmp_path / place)), p.read_bytes()) for p in files])
    assert bytes_[0] == bytes_[1]


def test_a_second_render_in_another_process_is_the_same() -> None:
    code = (
        "from policy.render.check import example_releases;"
        "from tests.examples import LARGE, settings_of;"
        "import hashlib; print(hashlib.sha256(b''.join(f.content for r in"
        " example_releases(settings_of(LARGE)) for f in r.files)).hexdigest())"
    )
    said = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(said) == 1


def test_a_change_of_the_settings_is_shown_as_a_difference(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("--stack", "dev", "--out", str(out))
    assert "--- before" not in run("--stack", "dev", "--out", str(out), "--diff")
    shown = run("--stack", "staging", "--out", str(out), "--diff")
    assert "+++ now/mta-1/" in shown
    assert "staging.example.com" in shown


@pytest.mark.parametrize("name", ["..", "../x", ".", "", "/etc", "a/b", "link", 5, None])
def test_a_mark_that_names_what_is_not_ours_removes_nothing(tmp_path: Path, name: object) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    other.mkdir()
    (other / "mine").write_text("x")
    (out / "link").symlink_to(other)
    (out / ".ping8-render.json").write_text(json.dumps([name]))
    with pytest.raises(UserError, match="nothing was changed"):
        run("--stack", "dev", "--out", str(out))
    assert (other / "mine").exists()
    assert sorted(path.name for path in out.iterdir()) == [".ping8-render.json", "link"]


@pytest.mark.parametrize("text", ["[", "{}", '"mta"'])
def test_a_damaged_mark_removes_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "mta").mkdir()
    (tmp_path / ".ping8-render.json").write_text(text)
    with pytest.raises(UserError, match="nothing was changed"):
        run("--stack", "dev", "--out", str(tmp_path))
    assert (tmp_path / "mta").exists()


def test_what_is_printed_holds_no_content(tmp_path: Path) -> None:
    output = run("--stack", "dev", "--out", str(tmp_path / "out"))
    environment = (tmp_path / "out/mta-1/etc/default/kumomta").read_text()
    token = re.search('PING8_WEBHOOK_TOKEN="([^"]+)"', environment)
    assert token is not None
    assert token[1] not in output
    assert token[1] not in (tmp_path / "out/mta-1.json").read_text()


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
    assert not (tmp_path / "mta-1/etc/systemd/system/ping8-logs-ship.service").exists()


def test_an_unknown_stack_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="prodd"):
        run("--stack", "prodd", "--out", str(tmp_path / "out"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_a_given_certificate_is_replaced_by_one_that_goes_with_the_throw_away_key(
    tmp_path: Path,
) -> None:
    write(example_releases(settings_of(LARGE)), tmp_path)
    tls = tmp_path / "mta-1/etc/ping8/tls"
    public = [
        subprocess.run(["openssl", *command], check=True, capture_output=True).stdout
        for command in (
            ["x509", "-in", f"{tls}/fullchain.pem", "-noout", "-pubkey"],
            ["pkey", "-in", f"{tls}/privkey.pem", "-pubout"],
        )
    ]
    assert public[0] == public[1]


def test_without_a_folder_the_difference_is_from_what_is_live_on_each_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment = deployment_of(SMALL)
    settings = deployment.settings
    live = releases_with(settings, deployed_addresses(settings, deployment))

    def ssh_json(host: HostAccess, verb: list[str]) -> object:
        assert verb == ["release"]
        (release,) = (one for one in live if one.host == host.name)
        files = {file.path: shown(file) for file in release.files}
        files["/etc/nginx/sites-enabled/ping8.conf"]["content"] = "an older one\n"
        files[AGENT]["sha256"] = "0" * 64
        return {"release": "0123456789abcdef", "files": files}

    monkeypatch.setattr(render, "ssh_json", ssh_json)
    lines = list(since_release(settings, only_mta(deployment)))
    assert lines[:2] == ["proxy-1: a new host", "mta-1: against release 0123456789abcdef"]
    assert "files with secrets are not compared" in lines[2]
    heads = [line for line in lines if line.startswith("--- ")]
    assert heads == ["--- mta-1/etc/nginx/sites-enabled/ping8.conf"]
    assert "-an older one" in lines
    assert f"mta-1{AGENT}: another program" in lines


def shown(file: ReleaseFile) -> dict[str, object]:
    """As the host's agent shows it."""
    try:
        content = None if file.secret else file.content.decode()
    except UnicodeDecodeError:
        content = None
    digest = hashlib.sha256(file.content).hexdigest()
    return {"secret": file.secret, "sha256": digest, "content": content}


def only_mta(deployment: Deployment) -> Deployment:
    return replace(deployment, hosts={"mta-1": deployment.mta})
