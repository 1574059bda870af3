"""Asking a host's agent by the real OpenSSH client, from a real SSH server on loopback."""

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncssh
import pytest

from ops.ssh import CONFIG, ssh_json
from ops.stack import HostAccess
from policy.errors import UserError

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs the OpenSSH client")


@dataclass
class Server:
    """Answers any command with what the test set, and remembers it."""

    access: HostAccess
    answer: tuple[int, str, str] = (0, "{}", "")
    commands: list[str] = field(default_factory=list)

    def handle(self, process: "asyncssh.SSHServerProcess[str]") -> None:
        self.commands.append(process.command or "")
        code, output, said = self.answer
        process.stdout.write(output)
        process.stderr.write(said)
        process.exit(code)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[asyncssh.SSHKey, asyncssh.SSHKey, Path]:
    folder = tmp_path_factory.mktemp("keys")
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    identity = folder / "id"
    identity.touch(mode=0o600)
    user.write_private_key(str(identity))
    return host, user, identity


@pytest.fixture
def server(
    keys: tuple[asyncssh.SSHKey, asyncssh.SSHKey, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Server]:
    host, user, identity = keys
    access = HostAccess(
        name="mta",
        role="mta",
        address="127.0.0.1",
        private_address="10.8.0.4",
        user="ping8",
        host_key=host.export_public_key().decode(),
        instance_id="i-0123456789abcdef0",
        release_id="0123456789abcdef",
    )
    made = Server(access=access)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host],
            authorized_client_keys=asyncssh.import_authorized_keys(
                user.export_public_key().decode()
            ),
            process_factory=made.handle,
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    config = tmp_path / "config"
    config.write_text(
        f"Host *\n  Port {acceptor.get_port()}\n  IdentityFile {identity}\n  IdentitiesOnly yes\n"
    )
    monkeypatch.setenv(CONFIG, str(config))
    yield made
    loop.call_soon_threadsafe(acceptor.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def test_the_agents_json_comes_back(server: Server) -> None:
    server.answer = (0, json.dumps({"release": "x"}), "")
    assert ssh_json(server.access, ["drift"]) == {"release": "x"}
    assert server.commands == [
        "sudo -n timeout --kill-after=120 60 /usr/local/sbin/ping8-agent drift"
    ]


def test_arguments_reach_the_agent_as_they_are(server: Server) -> None:
    ssh_json(server.access, ["events", "list", "--domain", "a b;$(reboot)"], limit=5)
    assert server.commands[0].endswith("ping8-agent events list --domain 'a b;$(reboot)'")


def test_another_host_key_than_the_stacks_is_refused(server: Server) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(UserError, match=r"mta \(127.0.0.1\): its host key differs"):
        ssh_json(replace(server.access, host_key=other), ["drift"])
    assert server.commands == []


def test_the_agents_own_reason_is_the_error(server: Server) -> None:
    server.answer = (1, "", "ping8    0.1 s  looking\nping8: no release; run `pulumi up`\n")
    with pytest.raises(UserError, match=r"^mta \(127.0.0.1\): no release; run `pulumi up`$"):
        ssh_json(server.access, ["drift"])


def test_progress_is_reported_line_by_line_without_the_final_error(server: Server) -> None:
    server.answer = (1, "", "ping8    0.1 s  one\nping8    0.2 s  two\nping8: bad; fix\n")
    told: list[str] = []
    with pytest.raises(UserError):
        ssh_json(server.access, ["rollback"], progress=told.append)
    assert told == ["ping8    0.1 s  one", "ping8    0.2 s  two"]


def test_a_host_without_an_agent_says_to_push(server: Server) -> None:
    server.answer = (127, "", "timeout: failed to run command: No such file or directory\n")
    with pytest.raises(UserError, match="it has no agent with this verb; push a release"):
        ssh_json(server.access, ["drift"])


def test_a_key_that_the_host_refuses_is_named_as_the_cause(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = tmp_path / "stranger"
    stranger.touch(mode=0o600)
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(stranger))
    config = tmp_path / "other"
    lines = (tmp_path / "config").read_text().splitlines()
    changed = [f"  IdentityFile {stranger}" if "IdentityFile" in line else line for line in lines]
    config.write_text("\n".join(changed))
    monkeypatch.setenv(CONFIG, str(config))
    with pytest.raises(UserError, match="it rejects our key for user ping8"):
        ssh_json(server.access, ["drift"])


def test_a_host_that_does_not_answer_is_reported(server: Server) -> None:
    with pytest.raises(UserError, match="no SSH connection"):
        ssh_json(replace(server.access, address="127.0.0.9"), ["drift"])
