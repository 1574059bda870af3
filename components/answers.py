"""Waits for what AWS says, in the middle of the program."""

from typing import TypeVar

import pulumi

_Answer = TypeVar("_Answer")


async def answer(function: pulumi.Output[_Answer]) -> _Answer:
    """What a function of the provider finds. Raises what AWS says instead."""
    try:
        found = await function.future()
    except Exception:
        # The SDK keeps an output that failed, and would fail the program with it at the end.
        function._untrack()
        raise
    assert found is not None  # noqa: S101 - what exists is known at preview
    return found


async def if_allowed(what: str, function: pulumi.Output[_Answer]) -> _Answer | None:
    """The same; None if the credentials do not allow it."""
    try:
        return await answer(function)
    except Exception as error:
        pulumi.log.debug(f"not checked, {what}: {error}")
        return None
