"""What must not be possible on the running platform, and what Pulumi's own command line sees."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from sandbox.journey import await_message, letter
from sandbox.run import Sandbox
from sandbox.world.recipients import RECIPIENTS
from tests.sandbox.e2e.deploying import on

pytestmark = pytest.mark.sandbox

RECIPIENT = RECIPIENTS["accept.example"].address
_CALL = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)
    print("open")
except OSError as error:
    print(type(error).__name__)
"""


def call(sandbox: Sandbox, host: str, address: str, port: int) -> str:
    return on(sandbox, host, "python3", "-c", _CALL, address, str(port))


def test_mail_leaves_through_the_proxy_host_alone(sandbox_up: Sandbox) -> None:
    assert call(sandbox_up, "mta-1", RECIPIENT, 25) == "TimeoutError"
    assert call(sandbox_up, "proxy-1", RECIPIENT, 25) == "open"


def test_the_proxy_serves_the_mta_host_alone(sandbox_up: Sandbox) -> None:
    proxy = sandbox_up.deployment.host("proxy-1")
    assert call(sandbox_up, "mta-1", proxy.private_address, 5000) == "open"
    with pytest.raises(TimeoutError):
        socket.create_connection((proxy.address, 5000), timeout=2)


def test_kumod_listens_on_loopback_alone(sandbox_up: Sandbox) -> None:
    with pytest.raises(TimeoutError):
        socket.create_connection((sandbox_up.deployment.mta.address, 8000), timeout=2)
    listening = on(sandbox_up, "mta-1", "ss", "-Hltn", "sport = :8000")
    assert "127.0.0.1:8000" in listening
    assert "0.0.0.0:8000" not in listening


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/metrics.json",
        "/api/admin/bounce/v1",
        "/api/admin/suspend/v1",
        "/api/inject/v2",
    ],
)
def test_the_internet_reaches_no_path_but_injection(sandbox_up: Sandbox, path: str) -> None:
    token = sandbox_up.outputs["injection_token"]
    assert sandbox_up.ping8.ask("GET", path, token).status == 404


def test_a_message_shows_nothing_of_the_mta_host_but_its_name(sandbox_up: Sandbox) -> None:
    one = letter("news@news.ping8.test", "reader@accept.example")
    assert sandbox_up.ping8.inject(one)[0] == 200
    message = str(await_message(sandbox_up.world, one.subject)["message"])
    assert str(sandbox_up.outputs["injection_token"]) not in message
    assert sandbox_up.deployment.mta.address not in message


def test_pulumi_preview_by_the_command_line_sees_no_change(
    sandbox_up: Sandbox, tmp_path: Path
) -> None:
    if not shutil.which("pulumi-language-python"):
        pytest.skip("needs the language plugin pulumi-language-python on PATH")
    project = sandbox_up.layout.state / "project"
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    for name in ("__main__.py", "components", "policy", ".venv", "pyproject.toml"):
        (tmp_path / name).symlink_to(sandbox_up.layout.root / name)
    workspace = sandbox_up.stack.workspace
    previewed = subprocess.run(
        [workspace.pulumi_command.command, "preview", "--stack", "sandbox", "--expect-no-changes"],
        cwd=tmp_path,
        env={**os.environ, **workspace.env_vars},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert previewed.returncode == 0, previewed.stdout + previewed.stderr


@pytest.mark.parametrize("host", ["mta-1", "proxy-1"])
def test_only_root_reaches_the_instances_credentials(sandbox_up: Sandbox, host: str) -> None:
    metadata = ("python3", "-c", _CALL, "169.254.169.254", "80")
    assert on(sandbox_up, host, *metadata) == "open"
    nobody = on(sandbox_up, host, "runuser", "-u", "nobody", "--", *metadata)
    assert nobody == "ConnectionRefusedError"


def test_kumod_runs_without_any_privilege_but_port_25(sandbox_up: Sandbox) -> None:
    script = "cat /proc/$(systemctl show --value -p MainPID kumomta)/status"
    status = on(sandbox_up, "mta-1", "sh", "-c", script)
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    user = on(sandbox_up, "mta-1", "id", "-u", "kumod").strip()
    assert set(fields["Uid"].split()) == {user}
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 1 << 10
    assert fields["NoNewPrivs"].strip() == "1"
