"""A user's mistake, explained in one message."""


class UserError(Exception):
    """A mistake that the user can fix: the message names the place, the value and the fix.

    Commands print it without a traceback.
    """


class UsageError(UserError):
    """Such a mistake in a command line."""
