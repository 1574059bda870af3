import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator

import asyncssh
import grpc
import pytest

from standins.pulumi import ssh
from standins.pulumi.properties import UNKNOWN, Properties, Secret, reveal
from standins.pulumi.service import Service
from standins.pulumi.tests.engine import Engine, Refused, error_of
from standins.pulumi.tests.ssh_host import SshHost, ssh_host

COMMAND = "command:remote:Command"


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    with ssh_host() as running:
        yield running


@pytest.fixture(scope="module")
def real() -> Iterator[int]:
    """The port of the real provider, if its plugin is on the PATH."""
    plugin = shutil.which("pulumi-resource-command")
    if plugin is None:
        pytest.skip("no pulumi-resource-command on the PATH")
    with subprocess.Popen([plugin], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        # Without an engine's address it logs to its standard output.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield port
        process.terminate()


@pytest.fixture(params=["stand-in", "real"])
def command(request: pytest.FixtureRequest, service: Service) -> Iterator[Engine]:
    stand_in = request.param == "stand-in"
    engine = Engine(service.endpoints.command if stand_in else request.getfixturevalue("real"))
    engine.configure()
    yield engine
    engine.close()


def _inputs(host: SshHost, **inputs: object) -> Properties:
    return {"connection": host.connection(), "addPreviousOutputInEnv": False, **inputs}


def test_a_command_takes_standard_input_and_gives_both_streams(
    command: Engine, host: SshHost
) -> None:
    made = command.create(COMMAND, "push", _inputs(host, create="cat; echo bad >&2", stdin="in\n"))
    assert made.state["stdout"] == "in"
    assert made.state["stderr"] == "bad"


def test_streams_of_megabytes_on_one_line_come_through_whole(
    command: Engine, host: SshHost
) -> None:
    content = "é" * 2_000_000
    inputs = _inputs(host, create="cat", stdin=content, logging="stderr")
    made = command.create(COMMAND, "push", inputs)
    assert made.state["stdout"] == content


def test_a_line_too_long_for_the_log_is_rejected_where_the_real_provider_hangs(
    service: Service, host: SshHost
) -> None:
    engine = Engine(service.endpoints.command)
    inputs = _inputs(host, create="cat", stdin="x" * 65536)
    with pytest.raises(grpc.RpcError) as caught:
        engine.create(COMMAND, "push", inputs)
    engine.close()
    assert "logs a line of 65536 bytes on stdout" in error_of(caught)


def test_bytes_that_are_no_text_fail_a_command(command: Engine, host: SshHost) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        command.create(COMMAND, "push", _inputs(host, create="printf 'a\\377b'"))
    assert error_of(caught) == "grpc: error while marshaling: string field contains invalid UTF-8"


@pytest.mark.parametrize("command", ["stand-in"], indirect=True)
def test_a_secret_input_makes_the_output_secret(command: Engine, host: SshHost) -> None:
    made = command.create(COMMAND, "push", _inputs(host, create="cat", stdin=Secret("token")))
    assert made.state["stdout"] == Secret("token")
    assert isinstance(made.inputs["stdin"], Secret)


def test_a_changed_input_updates_and_runs_create_again(command: Engine, host: SshHost) -> None:
    made = command.create(COMMAND, "push", _inputs(host, create="cat", stdin="one"))
    news = _inputs(host, create="cat", stdin="two")
    assert list(command.diff(made, news).replaces) == []
    assert command.update(made, news).state["stdout"] == "two"


def test_a_changed_connection_updates(command: Engine, host: SshHost) -> None:
    made = command.create(COMMAND, "push", _inputs(host, create="true"))
    news = {**_inputs(host, create="true"), "connection": host.connection(dialErrorLimit=3)}
    changed = command.diff(made, news)
    assert list(changed.diffs) == ["connection"]
    assert list(changed.replaces) == []


def test_an_error_prints_the_whole_command_and_its_output(command: Engine, host: SshHost) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        command.create(COMMAND, "push", _inputs(host, create="echo reason >&2; exit 3"))
    assert error_of(caught) == (
        'Process exited with status 3: running "echo reason >&2; exit 3":\nreason\n'
    )


def test_a_host_with_another_key_gets_no_command(command: Engine, host: SshHost) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    connection = host.connection(hostKey=other, dialErrorLimit=0)
    with pytest.raises(grpc.RpcError) as caught:
        command.create(COMMAND, "push", _inputs(host, connection=connection, create="true"))
    assert (
        error_of(caught) == "after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch"
    )


def test_dialling_ends_after_the_limit_of_errors(
    command: Engine, host: SshHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_FIRST_DELAY", 0.0)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        connection = host.connection(port=closed.getsockname()[1], dialErrorLimit=2)
        with pytest.raises(grpc.RpcError) as caught:
            command.create(COMMAND, "push", _inputs(host, connection=connection, create="true"))
    assert error_of(caught) == (
        f"after 2 failed attempts: dial tcp 127.0.0.1:{connection['port']}: connect: connection"
        " refused"
    )


def test_a_refresh_believes_the_state(command: Engine, host: SshHost) -> None:
    made = command.create(COMMAND, "push", _inputs(host, create="echo hello"))
    again = command.read(made)
    assert again is not None
    assert again.state == made.state


def test_a_preview_dials_no_host_and_leaves_the_output_unknown(
    command: Engine, host: SshHost
) -> None:
    inputs = _inputs(host, connection=host.connection(host=UNKNOWN), create="true")
    state = command.preview(COMMAND, "push", inputs)
    assert reveal(state["stdout"]) is UNKNOWN


def test_a_connection_without_a_host_is_refused(command: Engine) -> None:
    with pytest.raises(Refused, match=r"(?s)connection.*host.*Missing required"):
        command.check(COMMAND, "push", {"connection": {"user": "ping8"}})


@pytest.mark.parametrize("command", ["stand-in"], indirect=True)
@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"delete": "true"}, "delete"),
        ({"addPreviousOutputInEnv": True}, "addPreviousOutputInEnv"),
        ({"connection": {"host": "a", "privateKey": "b"}}, "connection.hostKey"),
        (
            {
                "connection": {
                    "host": "a",
                    "privateKey": "b",
                    "hostKey": "c",
                    "agentSocketPath": "d",
                }
            },
            "connection.agentSocketPath",
        ),
    ],
)
def test_what_the_program_does_not_use_is_refused(
    command: Engine, host: SshHost, inputs: dict[str, object], path: str
) -> None:
    with pytest.raises(Refused, match=f"^{path}: "):
        command.check(COMMAND, "push", _inputs(host, create="true", **inputs))


@pytest.mark.parametrize("command", ["stand-in"], indirect=True)
def test_other_resources_of_the_package_are_refused(command: Engine) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        command.check("command:local:Command", "here", {"create": "true"})
    assert error_of(caught) == "the sandbox's command provider has no command:local:Command"
