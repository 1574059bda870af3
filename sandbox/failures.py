"""The one failure that a user of the sandbox reads."""


class SandboxError(Exception):
    """Something that the sandbox cannot do, with its reason and, where there is one, the mend."""
