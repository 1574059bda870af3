"""The one failure that a user of the sandbox reads."""

from policy.errors import UserError


class SandboxError(UserError):
    """Something that the sandbox cannot do, with its reason and, where there is one, the fix."""
