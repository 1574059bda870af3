"""The command provider: `command:remote:Command` over real SSH, as pulumi-command 1.2.1 does it.

Other resources of that package are refused: the program has no use for them.
"""

import secrets
from typing import Any

from standins.pulumi import ssh
from standins.pulumi.errors import ProviderError
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Call, Change, Traits, check_against_schema, compare
from standins.pulumi.server import Provider

_CONNECTION_DEFAULTS = {"user": "root", "port": 22, "dialErrorLimit": 10, "perDialTimeout": 15}
_LONGEST_LOGGED = 64 * 1024
"""A line of this size stops the real provider's scanner (Go's bufio.Scanner), and with it the
command: nobody reads its output any more."""

_LOGGED = {
    "stdout": {"stdout"},
    "stderr": {"stderr"},
    "stdoutAndStderr": {"stdout", "stderr"},
    "none": set[str](),
}


def provider() -> Provider:
    """The command provider at the version that the program's SDK asks for."""
    command = RemoteCommand()
    return Provider(name="command", version="1.2.1", resources={command.kind: command})


class RemoteCommand:
    """A command on a remote host for each of creation, update and deletion."""

    kind = "command:remote:Command"
    traits = Traits(
        volatile=frozenset({"stdout", "stderr"}),
        spreads_secrets=True,
    )

    def check(self, call: Call, olds: Properties, news: Properties) -> Properties:  # noqa: ARG002
        check_against_schema(self, news)
        connection = news["connection"]
        if isinstance(connection, dict):
            connection = {**_CONNECTION_DEFAULTS, **connection}
        return {"addPreviousOutputInEnv": True, **news, "connection": connection}

    def changes(self, olds: Properties, news: Properties) -> list[Change]:
        return compare(self.traits, olds, news)

    def create(self, call: Call, inputs: Properties) -> tuple[str, Properties]:
        identity = f"{call.name}{secrets.token_hex(4)}"
        return identity, {**inputs, **_run(call, inputs, inputs.get("create"), {})}

    def read(
        self,
        call: Call,  # noqa: ARG002
        identity: str,  # noqa: ARG002
        inputs: Properties,
        state: Properties,
    ) -> tuple[Properties, Properties] | None:
        """The real provider cannot read a command, so a refresh believes the state."""
        return inputs, state

    def update(
        self,
        call: Call,
        identity: str,  # noqa: ARG002
        olds: Properties,
        news: Properties,
    ) -> Properties:
        command = news.get("update") or news.get("create")
        return {**news, **_run(call, news, command, olds)}

    def delete(self, call: Call, identity: str, state: Properties) -> None:  # noqa: ARG002
        _run(call, state, state.get("delete"), state)


def _run(call: Call, inputs: Properties, command: str | None, previous: Properties) -> Properties:
    """Runs the command, or keeps the previous output when there is none to run."""
    before = {name: previous.get(name, "") for name in ("stdout", "stderr")}
    if command is None:
        return before
    logged = _LOGGED[inputs.get("logging") or "stdoutAndStderr"]

    too_long: list[str] = []

    def on_line(stream: str, line: str) -> None:
        if stream in logged:
            size = len(line.encode())
            if size >= _LONGEST_LOGGED:
                too_long.append(f"the command logs a line of {size} bytes on {stream}")
            call.log("INFO", line[:_LONGEST_LOGGED])

    done = ssh.execute(
        ssh.connection_from(inputs["connection"]),
        command,
        stdin=inputs.get("stdin") or "",
        environment=_environment(inputs, before),
        on_line=on_line,
        on_retry=lambda message: call.log("INFO", message),
    )
    if too_long:
        raise ProviderError(f"{too_long[0]}: pulumi-command 1.2.1 would hang on it")
    if "\ufffd" in done.combined:
        # Go's gRPC takes no such string.
        raise ProviderError("grpc: error while marshaling: string field contains invalid UTF-8")
    if done.status != 0:
        raise ProviderError(f'{_reason(done)}: running "{command}":\n{done.combined}')
    return {"stdout": done.stdout.removesuffix("\n"), "stderr": done.stderr.removesuffix("\n")}


def _environment(inputs: Properties, before: Properties) -> dict[str, str]:
    """What sshd is asked to set; it drops what its AcceptEnv does not name."""
    environment: dict[str, Any] = dict(inputs.get("environment") or {})
    if inputs.get("addPreviousOutputInEnv", True):
        if before["stdout"]:
            environment["PULUMI_COMMAND_STDOUT"] = before["stdout"]
        if before["stderr"]:
            environment["PULUMI_COMMAND_STDERR"] = before["stderr"]
    return environment


def _reason(done: ssh.Execution) -> str:
    if done.signal is not None:
        return f"Process exited with status None from signal {done.signal}"
    return f"Process exited with status {done.status}"
