"""Errors that a policy sees, and the error that a caller of the policy sees."""


class KumoError(Exception):
    """An error raised by a kumo function; the policy may catch it with pcall."""

    kind = "external"


class DeserializeError(KumoError):
    """A parameter table that kumod would refuse."""


class RejectError(KumoError):
    """kumo.reject: a response with a code, which reception and senders treat specially."""

    kind = "reject"

    def __init__(self, code: int, message: str, disconnect: str | None = None) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.disconnect = disconnect


class ValidationError(Exception):
    """Something wrong with the start of the server itself (no spool, port taken)."""


class PolicyError(Exception):
    """A call into the policy failed.

    ``text`` is what kumod prints: the message, then Lua's stack trace.
    """

    def __init__(
        self, kind: str, message: str, *, code: int | None = None, traceback: str = ""
    ) -> None:
        self.kind = kind
        self.message = message
        self.code = code
        self.traceback = traceback
        super().__init__(self.text)

    @property
    def headline(self) -> str:
        """The message in kumod's words, without the stack trace."""
        if self.kind in ("runtime", "syntax"):
            return f"{self.kind} error: {self.message}"
        if self.kind == "reject":
            return f"{self.code} {self.message}"
        return self.message

    @property
    def text(self) -> str:
        return f"{self.headline}\n{self.traceback}" if self.traceback else self.headline
