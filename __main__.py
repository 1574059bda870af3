"""One environment of the mail platform: its stack file in, its addresses and records out."""

import asyncio
import gc
from typing import Any

import pulumi

from components import config
from components.outputs import outputs
from components.platform import MailPlatform, MailPlatformArgs
from components.zones import look_up


async def main() -> dict[str, Any]:
    """Everything of the environment; its outputs."""
    # The program keeps nearly everything that it makes until it ends. With thousands of records the
    # collector would look through all of it again and again: a fifth of the program's CPU.
    gc.set_threshold(50_000)
    configuration = config.read()
    settings = configuration.settings
    args = MailPlatformArgs(
        settings=settings, given=configuration.given, zones=await look_up(settings)
    )
    platform = MailPlatform("mail", args)
    # The resources' requests begin here. Without one that is open, the SDK would wait for outputs
    # instead, and look through all of them whenever one is known: minutes with thousands of
    # records.
    await asyncio.sleep(0)
    return outputs(settings, platform)


pulumi.run(main)
