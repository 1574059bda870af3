"""A cloud network of its own for each test module, beside any running sandbox."""

import os
from collections.abc import Iterator

import pytest

from sandbox import system
from sandbox.network import Cloud


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if missing := system.missing_packages():
        pytest.skip(f"needs packages: {' '.join(missing)}")
    made = Cloud(prefix=f"t{os.getpid()}", machine=False)
    try:
        yield made
    finally:
        made.down()
