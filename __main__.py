"""One environment of the mail platform: its stack file in, its addresses and records out."""

import asyncio
from typing import Any

import pulumi

from components import config
from components.outputs import outputs
from components.platform import MailPlatform, MailPlatformArgs


async def main() -> dict[str, Any]:
    """Everything of the environment; its outputs."""
    configuration = config.read()
    platform = MailPlatform(
        "mail", MailPlatformArgs(settings=configuration.settings, given=configuration.given)
    )
    # The requests begin here. Without one that is open, the SDK would wait for outputs instead,
    # and look through all of them whenever one is known: minutes with thousands of records.
    await asyncio.sleep(0)
    return outputs(configuration.settings, platform)


pulumi.run(main)
