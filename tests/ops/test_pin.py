"""`ping8 kumomta pin` against a repository made with real tools."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import pin as work
from ops.stackfile import STACKS, read_stack_file, write_setting
from policy.errors import UserError
from tests.apt_repository import TOOLS, Key, Repository, serve

VERSION = "2026.09.29-b90d8bc1"
PACKAGED = "2026.09.29.121212.b90d8bc1"

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}"
)


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return Key.made(tmp_path / "first")


@pytest.fixture
def repository(tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    with serve(tmp_path) as served:
        served.package("kumomta", PACKAGED, "amd64")
        served.package("kumomta", PACKAGED, "arm64")
        served.sign(key)
        monkeypatch.setattr(work, "ubuntu_releases", lambda: {"22.04": served.ubuntu})
        yield served


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    folder = tmp_path / "stacks"
    folder.mkdir()
    for name in ("Pulumi.prod.yaml", "prod.domains.yaml", "Pulumi.dev.yaml"):
        shutil.copy(STACKS / name, folder / name)
    return folder


def test_key_lines_and_digests_become_settings_and_the_rest_of_the_file_stays(
    repository: Repository, key: Key, stacks: Path
) -> None:
    file = stacks / "Pulumi.prod.yaml"
    before = file.read_text().splitlines()
    found = work.pin("prod", VERSION, directory=stacks)
    assert found.missing == ()
    pin = read_stack_file("prod", stacks).kumomta.pin
    assert pin == found.pin
    assert pin.fingerprint == key.fingerprint
    assert pin.source == (
        "deb [arch=any signed-by=/usr/share/keyrings/kumomta.gpg] "
        f"{repository.address}/ stable main",
    )
    assert set(pin.digests) == {"amd64", "arm64"}
    after = file.read_text().splitlines()
    assert [line for line in before if line not in after] == [f"    version: {VERSION}"]
    work.pin("prod", VERSION, directory=stacks)
    assert file.read_text().splitlines() == after


def test_a_file_without_the_setting_gets_it_at_its_end(
    repository: Repository, stacks: Path
) -> None:
    before = (stacks / "Pulumi.dev.yaml").read_text()
    work.pin("dev", VERSION, directory=stacks)
    assert (stacks / "Pulumi.dev.yaml").read_text().startswith(before)
    assert read_stack_file("dev", stacks).kumomta.version == VERSION


def test_a_processor_missing_in_the_repository_is_reported_and_its_hosts_are_rejected(
    repository: Repository, key: Key, stacks: Path
) -> None:
    (repository.folder / f"pool/kumomta_{PACKAGED}_arm64.deb").unlink()
    repository.sign(key)
    before = (stacks / "Pulumi.dev.yaml").read_text()
    with pytest.raises(UserError, match=r"no package of .* for arm64"):
        work.pin("dev", VERSION, directory=stacks)
    assert (stacks / "Pulumi.dev.yaml").read_text() == before
    mta = {"instanceType": "c7i.xlarge"}
    write_setting(stacks / "Pulumi.dev.yaml", "ping8-mail:mta", mta)
    path = stacks / "Pulumi.dev.yaml"
    path.write_text(
        path.read_text() + "  ping8-mail:proxies: [{name: proxy-1, instanceType: t3.small}]\n"
    )
    assert work.pin("dev", VERSION, directory=stacks).missing == ("arm64",)


def test_another_key_is_accepted_only_with_new_key(
    repository: Repository, tmp_path: Path, stacks: Path
) -> None:
    work.pin("dev", VERSION, directory=stacks)
    other = Key.made(tmp_path / "second")
    repository.sign(other)
    with pytest.raises(UserError, match="use --new-key"):
        work.pin("dev", VERSION, directory=stacks)
    found = work.pin("dev", VERSION, new_key=True, directory=stacks)
    assert found.pin.fingerprint == other.fingerprint


def test_an_unsigned_index_is_refused(repository: Repository, tmp_path: Path, stacks: Path) -> None:
    index = repository.folder / "dists/stable/main/binary-any/Packages"
    index.write_text(index.read_text().replace("SHA256: ", "SHA256: 00"))
    with pytest.raises(UserError, match="does not match the signed checksum"):
        work.pin("dev", VERSION, directory=stacks)
    release = repository.folder / "dists/stable/InRelease"
    release.write_text(release.read_text().replace("Suite: stable", "Suite: other"))
    with pytest.raises(UserError, match="signature or key is wrong"):
        work.pin("dev", VERSION, directory=stacks)


def test_a_version_that_is_not_there_is_answered_with_those_that_are(
    repository: Repository, stacks: Path
) -> None:
    with pytest.raises(UserError, match=rf"no kumomta 2027.01.01-0a1b2c3d; it has {PACKAGED}"):
        work.pin("dev", "2027.01.01-0a1b2c3d", directory=stacks)
