"""Type tokens and URNs: a change here makes Pulumi replace what runs, so it needs an alias."""

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.components import shapes


@pytest.mark.parametrize("shape", ["minimal", "many-sources", "external-dns", "two-nodes"])
def test_urns_stay_as_they_are(shape: str, snapshot: SnapshotAssertion) -> None:
    prefix = f"urn:pulumi:{shape}::ping8-mail::"
    assert sorted(item.urn.removeprefix(prefix) for item in shapes.program(shape)) == snapshot


def test_the_program_uses_these_types_and_functions(snapshot: SnapshotAssertion) -> None:
    programs = [shapes.program(name) for name in shapes.NAMES]
    types = {item.type for program in programs for item in program}
    functions = {call.token for program in programs for call in program.invocations}
    assert {"types": sorted(types), "functions": sorted(functions)} == snapshot
