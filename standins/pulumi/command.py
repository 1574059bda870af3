# ruff: noqa: ARG002 - every kind's operations take the same arguments
"""The command provider: `command:remote:Command` over real SSH, as pulumi-command 1.2.1 does it.

Other resources, and inputs that the program does not use, are refused.
"""

import secrets
from collections.abc import Iterator

from standins.pulumi import ssh
from standins.pulumi.errors import InvalidInputs, ProviderError
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Call, Resource, Traits
from standins.pulumi.schema import Refusal
from standins.pulumi.server import Provider

_INPUTS = {"addPreviousOutputInEnv", "connection", "create", "logging", "stdin"}
_CONNECTION = {"host", "privateKey", "hostKey"}
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
    traits = Traits(volatile=frozenset({"stdout", "stderr"}), spreads_secrets=True)
    command = RemoteCommand("command:remote:Command", traits)
    return Provider(name="command", version="1.2.1", resources={command.kind: command})


class RemoteCommand(Resource):
    """A command on a remote host, run at creation and at every change of an input.

    The real provider cannot read one, so a refresh believes the state, and a deletion runs none.
    """

    def check(self, call: Call, olds: Properties, news: Properties) -> Properties:
        super().check(call, olds, news)
        if refusals := list(_refusals(news)):
            raise InvalidInputs(*refusals)
        connection = news["connection"]
        if isinstance(connection, dict):
            connection = {**_CONNECTION_DEFAULTS, **connection}
        return {**news, "connection": connection}

    def create(self, call: Call, inputs: Properties) -> tuple[str, Properties]:
        return f"{call.name}{secrets.token_hex(4)}", {**inputs, **_run(call, inputs)}

    def update(self, call: Call, identity: str, olds: Properties, news: Properties) -> Properties:
        return {**news, **_run(call, news)}


def _refusals(news: Properties) -> Iterator[Refusal]:
    """What the real provider accepts and the program does not use."""
    unknown = "not known to the sandbox"
    for name in sorted(news.keys() - _INPUTS):
        if news[name] is not None:
            yield Refusal(path=name, reason=unknown)
    if news.get("addPreviousOutputInEnv") is not False:
        yield Refusal(path="addPreviousOutputInEnv", reason=f"{unknown} but as false")
    connection = news["connection"]
    if isinstance(connection, dict):
        for name in sorted(connection.keys() - _CONNECTION - _CONNECTION_DEFAULTS.keys()):
            if connection[name]:
                yield Refusal(path=f"connection.{name}", reason=unknown)
        for name in sorted(_CONNECTION - connection.keys()):
            yield Refusal(path=f"connection.{name}", reason="the sandbox needs it")


def _run(call: Call, inputs: Properties) -> Properties:
    logged = _LOGGED[inputs.get("logging") or "stdoutAndStderr"]
    too_long: list[str] = []

    def on_line(stream: str, line: str) -> None:
        if stream in logged:
            size = len(line.encode())
            if size >= _LONGEST_LOGGED:
                too_long.append(f"the command logs a line of {size} bytes on {stream}")
            call.log("INFO", line[:_LONGEST_LOGGED])

    done = ssh.execute(
        inputs["connection"],
        inputs["create"],
        stdin=inputs.get("stdin") or "",
        on_line=on_line,
        on_retry=lambda message: call.log("INFO", message),
    )
    if too_long:
        raise ProviderError(f"{too_long[0]}: pulumi-command 1.2.1 would hang on it")
    if "\ufffd" in done.combined:
        # Go's gRPC takes no such string.
        raise ProviderError("grpc: error while marshaling: string field contains invalid UTF-8")
    if done.status != 0:
        from_signal = f"None from signal {done.signal}" if done.signal else done.status
        raise ProviderError(
            f'Process exited with status {from_signal}: running "{inputs["create"]}":\n'
            f"{done.combined}"
        )
    return {"stdout": done.stdout.removesuffix("\n"), "stderr": done.stderr.removesuffix("\n")}
