"""Errors that a policy sees, and the error that a caller of the policy sees."""


class KumoError(Exception):
    """An error raised by a kumo function; the policy may catch it with pcall."""


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


class BadRequest(Exception):
    """The body of an HTTP request that kumod does not accept."""
