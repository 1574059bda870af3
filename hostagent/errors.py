"""The one kind of failure that the operator reads."""


class AgentError(Exception):
    """What happened, and the fix; both without a secret and each on one line."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}; {self.fix}"


class OutOfTimeError(AgentError):
    """The time limit of the whole run is over."""
