"""The outside world's servers in one process, until it is stopped."""

import asyncio
import signal
import ssl
import sys
import threading
from pathlib import Path

from sandbox.world import APP_ADDRESS, mail, webhook


async def main(folder: Path, chain: Path, key: Path) -> None:
    """Serves mail and PING8's webhook with one certificate; what is seen goes to `folder`."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain, key)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await mail.listen(folder / "mail.jsonl", tls)
    receiver = webhook.Server((APP_ADDRESS, 443), webhook.Receiver(folder), tls)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    (folder / "ready").touch()
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main(*(Path(argument) for argument in sys.argv[1:])))
