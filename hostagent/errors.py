"""The one kind of failure that the operator reads."""


class AgentError(Exception):
    """What happened, and the mend; both without a secret and each on one line."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what, mend)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what}; {self.mend}"


class OutOfTimeError(AgentError):
    """The time limit of the whole run is over."""
