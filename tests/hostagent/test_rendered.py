"""The agent understands every release that is really rendered."""

import pytest

from hostagent.release.effects import difference
from hostagent.release.links import link_paths
from hostagent.release.model import empty_manifest, parse_bundle
from ops.stackfile import read_stack_file, stack_names
from policy.push import bundle_of
from policy.release import HostFacts
from policy.render.check import example_releases


@pytest.mark.parametrize("stack", stack_names())
def test_every_stacks_releases_arrive_whole(stack: str) -> None:
    for release in example_releases(read_stack_file(stack)):
        facts = HostFacts(name=release.host, instance_id="i-0123456789abcdef0")
        bundle = parse_bundle(bundle_of(release, facts).encode())
        assert {file.path: file.content for file in release.files} == bundle.contents
        links = link_paths(bundle.manifest)
        assert not any(path.startswith(f"{other}/") for path in links for other in links)
        effects = difference(empty_manifest(), bundle.manifest).effects
        restarted = [effect.removeprefix("restart ") for effect in effects]
        assert [unit for unit in release.units if unit in restarted] == [
            unit for unit in restarted if unit in release.units
        ]


@pytest.mark.parametrize("stack", stack_names())
def test_no_file_lies_on_a_mounted_volume(stack: str) -> None:
    for release in example_releases(read_stack_file(stack)):
        for mount in release.mounts:
            inside = [file.path for file in release.files if file.path.startswith(f"{mount.path}/")]
            assert inside == []
