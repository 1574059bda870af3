"""PTR records, set when everything else is up: AWS rejects one until its A record is public."""

import asyncio
import re

import pulumi

_PATIENCE = 900
_LONGEST = 30
_NEVER = re.compile(r"UnauthorizedOperation|AuthFailure|InvalidAllocationID|AccessDenied")


def retry_hook(name: str) -> pulumi.ErrorHook:
    """Lets the engine retry for 15 minutes; the provider itself tries once."""
    return pulumi.ErrorHook(f"{name}-ptr-retry", _wait)


def pause(tries: int) -> int:
    """Seconds to wait after so many attempts; 0 to give up."""
    pauses = [min(2**number, _LONGEST) for number in range(1, tries + 1)]
    return pauses[-1] if sum(pauses) <= _PATIENCE else 0


async def _wait(args: pulumi.ErrorHookArgs) -> bool:
    seconds = pause(len(args.errors))
    if args.failed_operation == "delete" or _NEVER.search(args.errors[0]) or not seconds:
        return False
    await asyncio.sleep(seconds)
    return True
