"""Settings that cannot be written to files stop a preview, not an update."""

import pytest

from policy.errors import UserError
from policy.render import check, shaping
from tests.examples import SMALL, settings_of


def test_settings_that_cannot_be_written_are_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(SMALL)
    check.check(settings)
    monkeypatch.setattr(shaping, "_webhook_path", lambda _settings: {"max_ready": None})
    with pytest.raises(UserError, match="cannot be rendered from these settings"):
        check.check(settings)
