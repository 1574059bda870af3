"""A PTR is tried again for a quarter of an hour, and not when no wait can help."""

import asyncio
from typing import Any

import pulumi
import pytest

from components import reverse_dns


def _args(errors: list[str], operation: str = "create") -> pulumi.ErrorHookArgs:
    return pulumi.ErrorHookArgs(
        urn="u", id="", name="ptr", type="t", failed_operation=operation, errors=errors
    )


def _retried(monkeypatch: pytest.MonkeyPatch, args: pulumi.ErrorHookArgs) -> tuple[bool, list[Any]]:
    waited: list[Any] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return asyncio.run(reverse_dns._wait(args)), waited


def test_pauses_add_up_to_a_quarter_of_an_hour() -> None:
    pauses = [reverse_dns.pause(tries) for tries in range(1, 101)]
    assert pauses[:5] == [2, 4, 8, 16, 30]
    assert 870 <= sum(pauses) <= 900
    assert pauses[-1] == 0


def test_a_name_that_is_not_public_yet_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = ["InvalidParameterValue: does not resolve"] * 3
    assert _retried(monkeypatch, _args(errors)) == (True, [8])


@pytest.mark.parametrize(
    "args",
    [
        _args(["api error UnauthorizedOperation: You are not authorized"]),
        _args(["InvalidParameterValue: does not resolve"] * 90),
        _args(["InvalidParameterValue: x"], "delete"),
    ],
)
def test_other_failures_are_final(
    monkeypatch: pytest.MonkeyPatch, args: pulumi.ErrorHookArgs
) -> None:
    assert _retried(monkeypatch, args) == (False, [])
