"""Tags that every taggable resource carries."""

from collections.abc import Mapping

from policy.settings import Settings


def common_tags(settings: Settings) -> dict[str, str]:
    """The environment's own tags; those of the settings come on top."""
    return {"Project": "ping8-mail", "Environment": settings.environment, **settings.tags}


def named(tags: Mapping[str, str], name: str) -> dict[str, str]:
    """The common tags with the name that AWS's console shows."""
    return {**tags, "Name": name}
