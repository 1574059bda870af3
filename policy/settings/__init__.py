"""The typed model of an environment, and how it is read."""

from policy.settings.model import Settings

__all__ = ["Settings"]
