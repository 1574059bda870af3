"""One command over SSH, dialled as patiently as pulumi-command dials."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import asyncssh

from standins.pulumi.errors import ProviderError
from standins.pulumi.properties import Properties

_FIRST_DELAY = 0.1
_BACKOFF = 1.5
_LONGEST_DELAY = 5.0

# The order of Go's SSH client, which the real provider uses: Ed25519 comes last, so a host that
# offers other keys too fails verification against its Ed25519 key here as it does there.
_HOST_KEY_ALGORITHMS = (
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
    "ssh-rsa",
    "ssh-ed25519",
)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where to dial and how to prove who both ends are."""

    host: str
    port: int
    user: str
    private_key: str | None = field(default=None, repr=False)
    private_key_password: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    host_key: str | None = None
    dial_error_limit: int = 10
    per_dial_timeout: int = 15


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What a command left behind; `combined` keeps both streams in the order they came."""

    status: int | None
    signal: str | None
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)
    combined: str = field(repr=False)


def connection_from(properties: Properties) -> Connection:
    """The connection that the resource's input describes."""
    return Connection(
        host=properties["host"],
        port=int(properties.get("port") or 22),
        user=properties.get("user") or "root",
        private_key=properties.get("privateKey"),
        private_key_password=properties.get("privateKeyPassword"),
        password=properties.get("password"),
        host_key=properties.get("hostKey"),
        dial_error_limit=int(properties.get("dialErrorLimit", 10)),
        per_dial_timeout=int(properties.get("perDialTimeout", 15)),
    )


def execute(
    connection: Connection,
    command: str,
    *,
    stdin: str,
    environment: dict[str, str],
    on_line: Callable[[str, str], None],
    on_retry: Callable[[str], None],
) -> Execution:
    """Runs the command; `on_line` gets each line as it comes, with its stream's name."""
    return asyncio.run(_execute(connection, command, stdin, environment, on_line, on_retry))


async def _execute(
    connection: Connection,
    command: str,
    stdin: str,
    environment: dict[str, str],
    on_line: Callable[[str, str], None],
    on_retry: Callable[[str], None],
) -> Execution:
    client = await _dial(connection, on_retry)
    try:
        await _require_accepted(client, environment)
        return await _run(client, command, stdin, environment, on_line)
    finally:
        client.close()
        await client.wait_closed()


async def _run(
    client: asyncssh.SSHClientConnection,
    command: str,
    stdin: str,
    environment: dict[str, str],
    on_line: Callable[[str, str], None],
) -> Execution:
    process = await client.create_process(
        command, env=environment or None, encoding="utf-8", errors="replace"
    )
    collected: dict[str, list[str]] = {"stdout": [], "stderr": [], "both": []}

    async def collect(name: str, stream: asyncssh.SSHReader[str]) -> None:
        async for line in stream:
            collected[name].append(line)
            collected["both"].append(line)
            on_line(name, line.rstrip("\n"))

    async def feed() -> None:
        try:
            if stdin:
                process.stdin.write(stdin)
                await process.stdin.drain()
            process.stdin.write_eof()
        except (BrokenPipeError, ConnectionError):
            return  # A command that ends without reading its input is judged by its status.

    await asyncio.gather(
        feed(), collect("stdout", process.stdout), collect("stderr", process.stderr)
    )
    await process.wait()
    return Execution(
        status=process.exit_status,
        signal=process.exit_signal[0] if process.exit_signal else None,
        stdout="".join(collected["stdout"]),
        stderr="".join(collected["stderr"]),
        combined="".join(collected["both"]),
    )


async def _require_accepted(
    client: asyncssh.SSHClientConnection, environment: dict[str, str]
) -> None:
    """The real client learns from the server's answer that AcceptEnv leaves a variable out."""
    for name, value in environment.items():
        if name.startswith("PULUMI_COMMAND_"):
            continue  # Sent in the hope that the server takes it.
        probe = await client.run(f"printenv {name}", env={name: value}, stdin=asyncssh.DEVNULL)
        if probe.exit_status != 0:
            raise ProviderError(f'could not set environment variable "{name}": ssh: setenv failed')


async def _dial(
    connection: Connection, on_retry: Callable[[str], None]
) -> asyncssh.SSHClientConnection:
    limit, delay, errors = connection.dial_error_limit, _FIRST_DELAY, 0
    options = _options(connection)
    while True:
        try:
            return await asyncssh.connect(
                connection.host, connection.port, options=options, known_hosts=_trusted(connection)
            )
        except (OSError, asyncssh.Error) as error:
            errors += 1
            if -1 < limit < errors:
                raise ProviderError(
                    f"after {errors - 1} failed attempts: {_reason(connection, error)}"
                ) from error
            shown = "inf" if limit < 0 else limit
            on_retry(f"Dial {errors}/{shown} failed: retrying")
        await asyncio.sleep(delay)
        delay = min(delay * _BACKOFF, _LONGEST_DELAY)


def _reason(connection: Connection, error: Exception) -> str:
    """In the words of Go's SSH client."""
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return "ssh: handshake failed: ssh: host key mismatch"
    dial = f"dial tcp {connection.host}:{connection.port}"
    if isinstance(error, ConnectionRefusedError):
        return f"{dial}: connect: connection refused"
    return f"{dial}: {str(error) or type(error).__name__}"


def _options(connection: Connection) -> asyncssh.SSHClientConnectionOptions:
    keys = []
    if connection.private_key:
        try:
            keys = [
                asyncssh.import_private_key(connection.private_key, connection.private_key_password)
            ]
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise ProviderError(f"connection.privateKey cannot be read: {error}") from error
    return asyncssh.SSHClientConnectionOptions(
        username=connection.user,
        client_keys=keys,
        password=connection.password,
        config=None,
        agent_path=None,
        server_host_key_algs=_HOST_KEY_ALGORITHMS,
        # 0 means without limit in pulumi-command.
        connect_timeout=connection.per_dial_timeout or None,
    )


def _trusted(connection: Connection) -> asyncssh.SSHKnownHosts | None:
    """Without a host key nothing is verified, as in pulumi-command."""
    if connection.host_key is None:
        return None
    key = " ".join(connection.host_key.split()[:2])
    try:
        return asyncssh.import_known_hosts(f"* {key}\n")
    except ValueError as error:
        raise ProviderError(f"connection.hostKey cannot be read: {error}") from error
