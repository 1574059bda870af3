"""What a ready queue needs of a session, and what every session does with an answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from standins.kumod.facts import KumodFacts
from standins.kumod.logs import Disposition, Response
from standins.kumod.message import Message
from standins.kumod.ready import ReadyQueue


class ConnectFailure(Exception):
    """No host took the connection: the messages at hand fail for now."""


class DeliverError(Exception):
    """The attempt broke: the messages at hand fail for now."""


@dataclass(kw_only=True)
class Final(Exception):
    """The whole ready queue gets this answer."""

    response: Response


class Outcomes(Protocol):
    """What becomes of a message after an attempt."""

    def log(self, what: Disposition) -> None: ...

    def requeue(self, message: Message, response: Response) -> None: ...

    def postpone(self, message: Message, delay: float) -> None: ...

    def delivered(self, message: Message) -> None: ...

    def failed(self, message: Message) -> None: ...


class Session(Protocol):
    """What a ready queue needs of a session."""

    session_id: str

    def connect(self) -> None: ...

    def deliver(self, batch: list[Message]) -> None: ...

    def close(self) -> None: ...


@dataclass(kw_only=True)
class Context:
    """What every session knows of its queue."""

    facts: KumodFacts
    outcomes: Outcomes
    queue: ReadyQueue
    session_id: str

    def log(self, kind: str, message: Message, response: Response, **more: Any) -> None:
        queue = self.queue
        self.outcomes.log(
            Disposition(
                kind=kind,
                message=message,
                response=response,
                site=queue.name,
                egress_pool=queue.pool,
                egress_source=queue.source["name"],
                session_id=self.session_id,
                provider=queue.path.get("provider_name"),
                **more,
            )
        )

    def settle(self, message: Message, response: Response, **more: Any) -> None:
        """Log the peer's answer and do what it asks for."""
        if response.code < 300:
            self.log("Delivery", message, response, **more)
            self.outcomes.delivered(message)
        elif response.code < 500 or response.code == 503:
            self.log("TransientFailure", message, response, **more)
            self.outcomes.requeue(message, response)
        else:
            self.log("Bounce", message, response, **more)
            self.outcomes.failed(message)


class MaildirSession:
    """Writes each message into a folder."""

    def __init__(self, context: Context, folder: Path) -> None:
        self._context = context
        self._folder = folder
        self.batch_size = 1
        self.session_id = context.session_id

    def connect(self) -> None:
        for name in ("new", "cur", "tmp"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    def deliver(self, batch: list[Message]) -> None:
        (message,) = batch
        partial = self._folder / "tmp" / message.id
        partial.write_bytes(message.data)
        partial.rename(self._folder / "new" / message.id)
        self._context.settle(
            message,
            Response(code=200, content=f"wrote to maildir with id={message.id}"),
            delivery_protocol="Maildir",
        )

    def close(self) -> None:
        """Nothing is open."""
