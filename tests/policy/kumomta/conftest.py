"""MTA hosts for tests of the policy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.policy.kumomta.mta import Mta


@pytest.fixture
def host(tmp_path: Path) -> Callable[..., Mta]:
    """Makes an MTA host with the given settings and surroundings, not started yet."""
    return lambda **chosen: Mta(root=tmp_path, **chosen)


@pytest.fixture
def mta(host: Callable[..., Mta]) -> Mta:
    """A started MTA host with one sender domain."""
    return host().start()
