"""What a user did wrong, said in one message."""


class UserError(Exception):
    """A mistake that the user can mend: the message names the place, the value and the mend.

    Commands print it without a traceback.
    """
