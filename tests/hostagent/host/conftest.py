"""One real host for all tests here; each begins with what the last left and says what it needs."""

import os
from collections.abc import Iterator

import pytest

from policy.agent_bundle import agent_zipapp
from sandbox import image, system
from sandbox.containers import Containers
from sandbox.layout import Layout
from sandbox.network import Cloud
from sandbox.process import run
from sandbox.volumes import Volumes
from tests.hostagent.host.ground import NAME, VOLUME, Ground, boot


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if missing := system.missing_packages():
        pytest.skip(f"needs packages: {' '.join(missing)}")
    folder = tmp_path_factory.mktemp("host")
    cloud = Cloud(prefix=f"a{os.getpid()}", machine=False)
    containers = Containers(
        cloud=cloud, state=folder / "hosts", volumes=Volumes(folder=folder / "volumes")
    )
    try:
        cloud.up()
        made = boot(containers, image.ensure_image(Layout.of_checkout().cache), folder)
        made.containers.wait_booted(NAME)
        containers.attach(NAME, VOLUME)
        (folder / "agent.pyz").write_bytes(agent_zipapp())
        container = f"{cloud.prefix}-{NAME}"
        run(["podman", "cp", str(folder / "agent.pyz"), f"{container}:/root/agent.pyz"])
        yield made
    finally:
        containers.remove_all()
        for volume in containers.volumes.ids():
            containers.volumes.delete(volume)
        cloud.down()
