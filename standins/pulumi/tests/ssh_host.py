"""A host with a real SSH server that runs commands with the local shell."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncssh


@dataclass(frozen=True, kw_only=True)
class SshHost:
    """Where it listens and the keys of both ends."""

    port: int
    host_key: str
    private_key: str

    def connection(self, **more: Any) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "ping8",
            "privateKey": self.private_key,
            "hostKey": self.host_key,
            **more,
        }


@contextmanager
def ssh_host() -> Iterator[SshHost]:
    """Serves until the block ends."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    client_key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    ready: threading.Event = threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        authorized = client_key.export_public_key().decode()
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(authorized),
            process_factory=_run,
            encoding=None,
        )
        ports.append(server.get_port())
        ready.set()

    thread = threading.Thread(target=_turn, args=(loop, serve), daemon=True)
    thread.start()
    ready.wait()
    yield SshHost(
        port=ports[0],
        host_key=host_key.export_public_key().decode(),
        private_key=client_key.export_private_key().decode(),
    )
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def _turn(loop: asyncio.AbstractEventLoop, serve: Any) -> None:
    asyncio.set_event_loop(loop)
    loop.run_until_complete(serve())
    loop.run_forever()


async def _run(process: Any) -> None:
    shell = await asyncio.create_subprocess_shell(
        process.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )
    stdout, stderr = await shell.communicate(await process.stdin.read())
    process.stdout.write(stdout)
    process.stderr.write(stderr)
    process.exit(shell.returncode)
