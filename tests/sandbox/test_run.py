"""What a run says, and refuses, in words."""

from pathlib import Path

import pytest

from sandbox import claim, engine, run, system
from sandbox.kumomta import VARIABLE, KumoTree
from sandbox.layout import Layout
from sandbox.process import SandboxError


def test_a_run_that_changed_nothing_reports_no_change() -> None:
    assert run._changes({"same": 158}) == "no change (158 resources)"
    assert run._changes({"create": 160}) == "160 created"
    assert run._changes({"same": 157, "update": 1}) == "1 updated, 157 unchanged"


def test_a_failed_deployment_is_reported_once_with_the_engines_errors() -> None:
    text = "code: 255\nstderr: \n  error: ping8: no\n  error: ping8: no\nResources:\n"
    assert run._reason(text) == "error: ping8: no"


def test_commands_for_a_running_sandbox_say_that_none_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "require_fit_system", lambda: None)
    with pytest.raises(SandboxError, match="no sandbox is up here; `make sandbox` brings one up"):
        run.standing(Layout(root=tmp_path))


def test_the_real_command_plugin_is_used_where_it_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(root=tmp_path)
    layout.state.mkdir()
    plugin = layout.root / "bin" / "pulumi-resource-command"
    plugin.parent.mkdir()
    plugin.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(plugin.parent))
    assert engine.real_providers(layout, layout.root / "pulumi") == ("command",)
    plugin.unlink()
    # A sandbox keeps what it began with.
    assert engine.real_providers(layout, layout.root / "pulumi") == ("command",)


def test_a_sandbox_whose_aws_has_ended_goes_down_before_it_is_stood_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(Exception):
        pass

    def down(_layout: Layout, _say: run.Say) -> None:
        raise Gone

    monkeypatch.setattr(system, "prepare", lambda *_: None)
    monkeypatch.setattr(claim, "take", lambda _layout: None)
    monkeypatch.setattr(run, "down", down)
    layout = Layout(root=tmp_path)
    layout.backend.mkdir(parents=True)
    said: list[str] = []
    with pytest.raises(Gone):
        run.existing(layout, said.append)
    assert said == ["the stand-in for AWS has ended, and its account with it: starting over"]


def test_several_nodes_need_the_real_kumomta(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = KumoTree(path=tmp_path, real=False)
    monkeypatch.setattr(system, "prepare", lambda *_: None)
    monkeypatch.setattr(claim, "take", lambda _layout: None)
    monkeypatch.setattr(run, "_ingredients", lambda *_: (tmp_path, "image", tree))
    with pytest.raises(SandboxError) as refused:
        run.existing(Layout(root=tmp_path), lambda _text: None, nodes=2)
    assert "\n" not in str(refused.value)
    assert VARIABLE in str(refused.value)
