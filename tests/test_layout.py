"""What leaves this repository in a wheel, and what its folders are called."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_wheel_holds_the_product_and_no_stand_in() -> None:
    packages = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages == ["policy", "hostagent", "components", "ops"]


def test_each_stand_in_is_a_workspace_member_with_a_readme_and_tests() -> None:
    for folder in (ROOT / "standins").glob("[a-z]*/"):
        assert {"pyproject.toml", "README.md", "tests"} <= {item.name for item in folder.iterdir()}
