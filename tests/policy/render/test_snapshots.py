"""Every rendered file of every example, as it would land. Look at the difference, then
`pytest tests/policy/render/test_snapshots.py --snapshot-update`."""

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation
from syrupy.types import SnapshotIndex

from ops.stackfile import read_stack_file, stack_names
from policy.release import Release, ReleaseFile
from policy.settings import Settings
from tests.examples import LARGE, releases_of, settings_of

AGENT = "/usr/local/sbin/ping8-agent"


class TextExtension(SingleFileSnapshotExtension):
    """One readable file for each host."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"

    @classmethod
    def get_snapshot_name(cls, *, test_location: PyTestLocation, index: SnapshotIndex = 0) -> str:
        """The example and the host."""
        return test_location.snapshot_name.partition("[")[2].removesuffix("]")


def examples() -> list[tuple[str, Settings]]:
    stacks = [(name, read_stack_file(name)) for name in stack_names()]
    return [*stacks, ("large", settings_of(LARGE))]


CASES = [
    pytest.param(release, id=f"{name}-{release.host}")
    for name, settings in examples()
    for release in releases_of(settings)
]


def content_of(file: ReleaseFile) -> str:
    if file.path == AGENT or file.path.endswith(".lua"):
        return "(the same on every host: see the repository)\n"
    return file.content.decode()


def described(release: Release) -> str:
    parts = [
        f"packages {' '.join(release.packages)}",
        f"users {' '.join(release.users)}",
        f"units {' '.join(release.units)}",
        f"links {' '.join(release.linked_directories)}",
        *(f"mount {mount.volume} {mount.path}" for mount in release.mounts),
        *(
            f"directory {item.path} {item.mode:04o} {item.owner}:{item.group}"
            for item in release.directories
        ),
        *(f"check {check.kind} {check.target}" for check in release.checks),
        f"kumomta {release.kumomta_version} preinstalled={release.kumomta_preinstalled}",
    ]
    for file in release.files:
        secret = " secret" if file.secret else ""
        effects = "".join(f", {effect}" for effect in file.effects)
        head = f"{file.path} {file.mode:04o} {file.owner}:{file.group}{secret}{effects}"
        parts.append(f"\n===== {head}\n{content_of(file)}")
    return "\n".join(parts)


@pytest.mark.parametrize("release", CASES)
def test_what_lands_on_each_host_is_what_was_looked_at(
    release: Release, snapshot: SnapshotAssertion
) -> None:
    assert described(release) == snapshot(extension_class=TextExtension)
