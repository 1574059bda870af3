"""What all tests share."""

import pytest
from hypothesis import settings

# A property holds or it does not, however busy the machine is.
settings.register_profile("ping8", deadline=None)
settings.load_profile("ping8")


# First, since pytest-xdist reads the groups in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps tests that share the machine on one worker, those that end the sandbox last."""
    for item in items:
        if item.get_closest_marker("sandbox") or item.get_closest_marker("host"):
            item.add_marker(pytest.mark.xdist_group("machine"))
    items.sort(key=lambda item: item.get_closest_marker("ends_sandbox") is not None)
