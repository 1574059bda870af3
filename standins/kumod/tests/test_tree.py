"""The tree at /opt/kumomta on a sandbox host."""

import getpass
import subprocess
import sys
from pathlib import Path

import pytest

from standins.kumod.tree import build_tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("opt") / "kumomta"
    build_tree(destination)
    return destination


def _run(tree: Path, command: str, *args: str) -> subprocess.CompletedProcess[str]:
    """With only the tree: no environment, no packages of this checkout."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(tree / "sbin" / command), *args],
        capture_output=True,
        text=True,
        check=False,
        env={},
    )


@pytest.mark.parametrize("command", ["kumod", "proxy-server", "kcli", "validate-shaping"])
def test_each_command_says_that_it_is_a_stand_in(tree: Path, command: str) -> None:
    result = _run(tree, command, "--version")
    assert result.stdout == f"{command} 2026.09.29-b90d8bc1 (ping8-mail stand-in)\n", result.stderr


def test_a_policy_validates_with_the_tree_alone(tree: Path, tmp_path: Path) -> None:
    policy = tmp_path / "init.lua"
    policy.write_text("require('kumo').on('validate_config', function() print 'seen' end)")
    result = _run(tree, "kumod", "--validate", "--policy", str(policy), "--user", getpass.getuser())
    assert (result.returncode, result.stdout) == (0, "seen\n"), result.stderr


def test_helpers_data_and_unit_are_there(tree: Path) -> None:
    for name in (
        "share/policy-extras/shaping.lua",
        "share/policy-extras/shaping.toml",
        "share/bounce_classifier/iana.toml",
        "lib/systemd/kumomta.service",
    ):
        assert (tree / name).is_file(), name


def test_an_unchanged_tree_is_left_alone(tree: Path) -> None:
    before = (tree / "sbin" / "kumod").stat()
    build_tree(tree)
    after = (tree / "sbin" / "kumod").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
