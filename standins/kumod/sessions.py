"""What every session does with an answer, and the session that writes to a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from standins.kumod.facts import KumodFacts
from standins.kumod.logs import Response, new_session_id
from standins.kumod.message import Message
from standins.kumod.scheduled import Scheduler
from standins.kumod.selection import ReadyQueue


class ConnectFailure(Exception):
    """No host accepted the connection: the current messages fail temporarily."""


class DeliverError(Exception):
    """The attempt broke: the current messages fail temporarily."""


class Final(Exception):
    """The whole ready queue gets this answer."""

    def __init__(self, code: int, enhanced: tuple[int, int, int], content: str) -> None:
        super().__init__(content)
        self.response = Response(code=code, enhanced=enhanced, content=content)


@dataclass(kw_only=True)
class BaseSession:
    """Delivers the messages of a ready queue; opened once for many."""

    protocol = ""
    batch_size = 1
    facts: KumodFacts
    scheduler: Scheduler
    queue: ReadyQueue

    def __post_init__(self) -> None:
        self.session_id = new_session_id()

    def connect(self) -> None:
        """Open it unless it is open. Raises `ConnectFailure` or `Final`."""

    def deliver(self, batch: list[Message]) -> None:
        """Settle every message of the batch. Raises `DeliverError`."""
        raise NotImplementedError

    def close(self) -> None:
        """End it."""

    def log(self, kind: str, message: Message, response: Response, **more: Any) -> None:
        queue = self.queue
        provider = queue.path.get("provider_name")
        self.scheduler.log(
            kind,
            message,
            response,
            site=queue.name,
            egress_pool=queue.pool,
            egress_source=queue.source["name"],
            session_id=self.session_id,
            delivery_protocol=self.protocol,
            **({"provider_name": provider} if provider else {}),
            **more,
        )

    def settle(self, message: Message, response: Response, **more: Any) -> None:
        """Log an answer and act on it."""
        if response.code < 300:
            self.log("Delivery", message, response, **more)
            self.scheduler.done(message)
        elif response.code < 500 or response.code == 503:
            self.log("TransientFailure", message, response, **more)
            self.scheduler.requeue(message)
        else:
            self.bounce(message, response, **more)

    def bounce(self, message: Message, response: Response, **more: Any) -> None:
        self.log("Bounce", message, response, **more)
        self.scheduler.done(message)

    def fail(self, batch: list[Message], text: str) -> None:
        """These messages got no answer."""
        for message in batch:
            self.settle(message, Response(code=400, content=f"KumoMTA internal: {text}"))


class MaildirSession(BaseSession):
    protocol = "Maildir"

    def deliver(self, batch: list[Message]) -> None:
        folder: Path = self.facts.paths.real(self.queue.protocol["maildir_path"])
        for name in ("new", "cur", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for message in batch:
            partial = folder / "tmp" / message.id
            partial.write_bytes(message.data)
            partial.rename(folder / "new" / message.id)
            answer = f"wrote to maildir with id={message.id}"
            self.settle(message, Response(code=200, content=answer))
