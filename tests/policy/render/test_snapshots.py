"""Every rendered file of every example, as it would land: the hosts of `prod` in full, every other
host by how it differs from prod's host of its kind. Look at the difference, then
`pytest tests/policy/render/test_snapshots.py --snapshot-update`."""

from difflib import unified_diff

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
FULL_STACK = "prod"
"""Its MTA and its first proxy are written in full."""


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


RELEASES = {
    f"{name}-{release.host}": release
    for name, settings in examples()
    for release in releases_of(settings)
}


def content_of(file: ReleaseFile) -> str:
    if file.path == AGENT or file.path.endswith(".lua"):
        return "(the same on every host: see the repository)\n"
    return file.content.decode()


def described(release: Release) -> dict[str, str]:
    """The manifest under the empty key, then each file's content under what is true of the file."""
    manifest = [
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
        f"source {release.source}",
    ]
    parts = {"": "\n".join(manifest) + "\n"}
    for file in release.files:
        secret = " secret" if file.secret else ""
        effects = "".join(f", {effect}" for effect in file.effects)
        head = f"{file.path} {file.mode:04o} {file.owner}:{file.group}{secret}{effects}"
        parts[head] = content_of(file)
    return parts


def in_full(parts: dict[str, str]) -> str:
    """Every file whole."""
    return "\n".join(
        f"===== {head}\n{content}" if head else content for head, content in parts.items()
    )


def difference(base: dict[str, str], parts: dict[str, str]) -> str:
    """The lines that are only in one of the two, by file. Without line numbers: a change of the
    full snapshot that is the same everywhere then changes nothing here."""
    sections = []
    for head in [*parts, *(head for head in base if head not in parts)]:
        before, after = (side.get(head, "").splitlines() for side in (base, parts))
        lines = [
            line
            for line in list(unified_diff(before, after, lineterm="", n=0))[2:]
            if not line.startswith("@@")
        ]
        if head not in parts:
            sections.append(f"----- {head}\n")
        elif lines or head not in base:
            sections.append("\n".join([f"===== {head}".rstrip(), *lines, ""]))
    return "\n".join(sections)


@pytest.mark.parametrize("name", RELEASES)
def test_what_lands_on_each_host_is_what_was_looked_at(
    name: str, snapshot: SnapshotAssertion
) -> None:
    release = RELEASES[name]
    base = f"{FULL_STACK}-{'mta' if release.host == 'mta' else 'proxy-1'}"
    parts = described(release)
    text = in_full(parts) if name == base else difference(described(RELEASES[base]), parts)
    assert text == snapshot(extension_class=TextExtension)
