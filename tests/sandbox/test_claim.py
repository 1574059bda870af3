"""One sandbox a machine."""

from pathlib import Path

import pytest

from sandbox import claim
from sandbox.layout import Layout
from sandbox.process import SandboxError


def checkout(folder: Path, *, up: bool = True) -> Layout:
    layout = Layout(root=folder)
    if up:
        layout.state.mkdir(parents=True)
    return layout


def test_a_checkout_is_refused_while_the_sandbox_of_another_is_up(tmp_path: Path) -> None:
    holder = tmp_path / "holder"
    first, second = checkout(tmp_path / "a"), checkout(tmp_path / "b", up=False)
    claim.take(first, holder)
    claim.take(first, holder)
    for refused in (claim.take, claim.require_ours):
        with pytest.raises(SandboxError, match=f"to {first.root}; run `ping8 sandbox down` there"):
            refused(second, holder)
    claim.give_up(second, holder)
    assert holder.exists()


def test_a_checkout_that_gave_up_or_was_deleted_holds_nothing(tmp_path: Path) -> None:
    holder = tmp_path / "holder"
    first, second = checkout(tmp_path / "a"), checkout(tmp_path / "b")
    claim.take(first, holder)
    first.state.rmdir()
    claim.take(second, holder)
    claim.give_up(second, holder)
    assert not holder.exists()
