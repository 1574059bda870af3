"""Runs one command over SSH, with the dialling and retries of pulumi-command."""

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
class Execution:
    """The result of a command; `combined` keeps both streams in their order."""

    status: int | None
    signal: str | None
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)
    combined: str = field(repr=False)


def execute(
    connection: Properties,
    command: str,
    *,
    stdin: str,
    on_line: Callable[[str, str], None],
    on_retry: Callable[[str], None],
) -> Execution:
    """Runs the command; `on_line` gets each line as it comes, with its stream's name."""

    async def run() -> Execution:
        client = await _dial(connection, on_retry)
        try:
            return await _run(client, command, stdin, on_line)
        finally:
            client.close()
            await client.wait_closed()

    return asyncio.run(run())


async def _run(
    client: asyncssh.SSHClientConnection,
    command: str,
    stdin: str,
    on_line: Callable[[str, str], None],
) -> Execution:
    process = await client.create_process(command, encoding="utf-8", errors="replace")
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


async def _dial(
    connection: Properties, on_retry: Callable[[str], None]
) -> asyncssh.SSHClientConnection:
    limit, delay, errors = int(connection["dialErrorLimit"]), _FIRST_DELAY, 0
    host, port, options = connection["host"], int(connection["port"]), _options(connection)
    while True:
        try:
            return await asyncssh.connect(
                host, port, options=options, known_hosts=_trusted(connection["hostKey"])
            )
        except (OSError, asyncssh.Error) as error:
            errors += 1
            if -1 < limit < errors:
                reason = _reason(f"dial tcp {host}:{port}", error)
                raise ProviderError(f"after {errors - 1} failed attempts: {reason}") from error
            shown = "inf" if limit < 0 else limit
            on_retry(f"Dial {errors}/{shown} failed: retrying")
        await asyncio.sleep(delay)
        delay = min(delay * _BACKOFF, _LONGEST_DELAY)


def _reason(dial: str, error: Exception) -> str:
    """In the words of Go's SSH client."""
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return "ssh: handshake failed: ssh: host key mismatch"
    if isinstance(error, ConnectionRefusedError):
        return f"{dial}: connect: connection refused"
    return f"{dial}: {str(error) or type(error).__name__}"


def _options(connection: Properties) -> asyncssh.SSHClientConnectionOptions:
    try:
        key = asyncssh.import_private_key(connection["privateKey"])
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise ProviderError(f"connection.privateKey cannot be read: {error}") from error
    return asyncssh.SSHClientConnectionOptions(
        username=connection["user"],
        client_keys=[key],
        config=None,
        agent_path=None,
        server_host_key_algs=_HOST_KEY_ALGORITHMS,
        # 0 means without limit in pulumi-command.
        connect_timeout=int(connection["perDialTimeout"]) or None,
    )


def _trusted(host_key: str) -> asyncssh.SSHKnownHosts:
    try:
        return asyncssh.import_known_hosts(f"* {' '.join(host_key.split()[:2])}\n")
    except ValueError as error:
        raise ProviderError(f"connection.hostKey cannot be read: {error}") from error
