from pathlib import Path
from urllib.request import urlopen

import pytest

from sandbox import cloud
from sandbox.authority import Certificate
from sandbox.cloud import Settings
from sandbox.machine import Site
from sandbox.process import SandboxError


def test_providers_outlive_the_command_that_starts_them_and_stop_on_request(tmp_path: Path) -> None:
    started = cloud.start(tmp_path)
    try:
        assert cloud.start(tmp_path) == started == cloud.endpoints(tmp_path)
        with urlopen(f"{started.moto_url}/moto-api/data.json") as answer:
            assert answer.status == 200
    finally:
        cloud.stop(tmp_path)
    assert cloud.endpoints(tmp_path) is None
    cloud.stop(tmp_path)


def test_a_failed_start_shows_its_log(tmp_path: Path) -> None:
    nowhere = Settings(address="192.0.2.1")
    with pytest.raises(SandboxError, match="Cannot assign requested address"):
        cloud.start(tmp_path, nowhere)


def test_settings_reach_the_process_whole(tmp_path: Path) -> None:
    site = Site(image="host:1", kumomta=Path("/opt/kumomta"), trusted=Path("authority.pem"))
    certificate = Certificate(chain=Path("c.pem"), key=Path("k.pem"))
    settings = Settings(address="127.0.0.1", site=site, aws=certificate)
    cloud.write_settings(tmp_path, settings)
    assert cloud.settings_of(tmp_path) == settings
