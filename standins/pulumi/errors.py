"""Errors for users of the stand-in providers; any other exception is a bug in them."""

from standins.pulumi.schema import Refusal


class ProviderError(Exception):
    """An operation failed for the reason that the message states."""


class InvalidInputs(ProviderError):
    """Inputs that the provider does not accept, each with its reason."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__("; ".join(f"{refusal.path}: {refusal.reason}" for refusal in refusals))
        self.refusals = refusals
