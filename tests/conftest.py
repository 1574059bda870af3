"""What all tests share."""

import pytest
from hypothesis import settings

# A property holds or it does not, however busy the machine is.
settings.register_profile("ping8", deadline=None)
settings.load_profile("ping8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts tests that end the sandbox last."""
    items.sort(key=lambda item: item.get_closest_marker("ends_sandbox") is not None)
