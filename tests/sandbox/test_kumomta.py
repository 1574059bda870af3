"""Which KumoMTA hosts run."""

from pathlib import Path

import pytest

from sandbox import kumomta
from sandbox.kumomta import KumoTree, ensure_tree
from sandbox.process import SandboxError


def test_a_tree_that_lacks_programs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(kumomta.VARIABLE, str(tmp_path))
    with pytest.raises(SandboxError, match=r"missing sbin/kumod, sbin/proxy-server"):
        ensure_tree(tmp_path)


def test_a_shell_without_the_variable_goes_on_with_the_tree_of_the_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(kumomta.VARIABLE, raising=False)
    root = tmp_path / "root"
    assert ensure_tree(tmp_path, running=root) == KumoTree(path=root, real=True)
    stand_in = tmp_path / "kumomta"
    assert ensure_tree(tmp_path, running=stand_in) == KumoTree(path=stand_in, real=False)


def test_another_tree_than_that_of_the_hosts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(kumomta.VARIABLE, "/another")
    with pytest.raises(
        SandboxError, match=f"runs KumoMTA from {tmp_path}; run `ping8 sandbox down`"
    ):
        ensure_tree(tmp_path, running=tmp_path)
