"""The one kind of failure that operators see."""


class AgentError(Exception):
    """What happened, and the fix; neither contains a secret, and each is one line."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}; {self.fix}"


class OutOfTimeError(AgentError):
    """The time limit of the whole run has passed."""
