"""KumoMTA's repository on a host, by apt itself: its own tree, a repository on loopback."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostagent.commands import Commands
from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.release.model import PackageSource
from hostagent.system import package_source, packages
from tests.apt_repository import TOOLS, Key, Repository, serve
from tests.hostagent.world import World, new_world, release

PACKAGED = "2026.09.29.121212.b90d8bc1"
OURS = (
    subprocess.run(
        ["dpkg", "--print-architecture"], check=False, capture_output=True, text=True
    ).stdout.strip()
    if shutil.which("dpkg")
    else ""
)

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}"
)


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return Key.made(tmp_path / "first")


@pytest.fixture
def repository(tmp_path: Path, key: Key) -> Iterator[Repository]:
    with serve(tmp_path) as served:
        served.package("kumomta", PACKAGED, OURS)
        served.package("bash", "99:99", OURS)
        served.sign(key)
        yield served


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host whose apt keeps to its own tree."""
    world: World = new_world(tmp_path / "host")
    for folder in ("etc/apt", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial",
                   "var/lib/dpkg"):  # fmt: skip
        (world.root / folder).mkdir(parents=True)
    (world.root / "var/lib/dpkg/status").touch()
    conf = tmp_path / "apt.conf"
    conf.write_text(
        f'Dir "{world.root}";\nDir::State::status "{world.root}/var/lib/dpkg/status";\n'
        'APT::Sandbox::User "root";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(conf))
    world.play.run = Commands().run  # type: ignore[method-assign]
    return world.host()


def source(repository: Repository, **more: str) -> PackageSource:
    """Of the repository; not pinned unless told."""
    ubuntu = repository.ubuntu
    kept = {"lines": (), "fingerprint": "", "digest": "", **more}
    return PackageSource(key=ubuntu["key"], list=ubuntu["list"], **kept)  # type: ignore[arg-type]


def update(host: Host) -> None:
    packages._update(host)


def test_apt_takes_kumomta_from_there_and_nothing_else(repository: Repository, host: Host) -> None:
    package_source.ensure(host, source(repository))
    update(host)
    assert packages._available(host, "2026.09.29-b90d8bc1") == PACKAGED
    policy = host.commands.run(["apt-cache", "policy", "kumomta", "bash"], limit=60).output
    assert policy.count("Candidate: (none)") == 1
    assert f"Candidate: {PACKAGED}" in policy


def test_a_repository_that_another_key_signs_is_rejected_by_apt(
    repository: Repository, host: Host, tmp_path: Path
) -> None:
    package_source.ensure(host, source(repository))
    repository.sign(Key.made(tmp_path / "second"))
    package_source.ensure(host, source(repository))  # the key is there, so it is kept
    with pytest.raises(AgentError, match="apt-get update` failed"):
        update(host)


def test_a_pinned_key_is_the_only_one_that_is_taken(
    repository: Repository, host: Host, key: Key, tmp_path: Path
) -> None:
    package_source.ensure(host, source(repository, fingerprint=key.fingerprint))
    keyring = host.layout.live(package_source.KEYRING)
    before = keyring.read_bytes()
    other = Key.made(tmp_path / "second")
    public = repository.folder / "public.gpg"
    for text in (
        other.run("--armor", "--export"),
        public.read_text() + other.run("--armor", "--export"),
    ):
        public.write_text(text)
        keyring.unlink(missing_ok=True)
        with pytest.raises(AgentError, match=f"the settings name {key.fingerprint}"):
            package_source.ensure(host, source(repository, fingerprint=key.fingerprint))
        assert not keyring.exists()
    keyring.write_bytes(b"damaged")
    repository.sign(key)
    package_source.ensure(host, source(repository, fingerprint=key.fingerprint))
    assert keyring.read_bytes() == before


def test_what_is_right_needs_no_network(repository: Repository, host: Host, key: Key) -> None:
    pinned = source(repository, fingerprint=key.fingerprint)
    package_source.ensure(host, pinned)
    shutil.rmtree(repository.folder)
    package_source.ensure(host, pinned)


def test_a_first_package_with_another_digest_is_deleted_and_not_installed(
    repository: Repository, host: Host
) -> None:
    package_source.ensure(host, source(repository))
    update(host)
    with pytest.raises(AgentError, match=f"but the settings name {'0' * 64}"):
        packages._first(host, PACKAGED, "0" * 64)
    assert not packages._files(host, PACKAGED)
    digest = hashlib.sha256(
        (repository.folder / f"pool/kumomta_{PACKAGED}_{OURS}.deb").read_bytes()
    ).hexdigest()
    assert packages._first(host, PACKAGED, digest).endswith(f"kumomta_{PACKAGED}_{OURS}.deb")


def test_options_that_switch_the_signature_off_are_dropped() -> None:
    line = "deb [arch=any trusted=yes signed-by=/tmp/x] https://packages.example.com/ stable main"
    assert package_source.signed_by(line, "/key.gpg") == (
        "deb [arch=any signed-by=/key.gpg] https://packages.example.com/ stable main"
    )


def test_an_image_with_kumomta_needs_no_repository(world: World) -> None:
    kumod = world.root / "opt/kumomta/sbin/kumod"
    kumod.parent.mkdir(parents=True)
    kumod.touch()
    world.push(release(kumomta_preinstalled=True))
    assert not (world.root / "etc/apt/sources.list.d").exists()
