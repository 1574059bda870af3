from pathlib import Path
from urllib.request import urlopen

import pytest

from sandbox import cloud_daemon as daemon
from sandbox.cloud_daemon import AwsListener, MachineSettings, Settings
from sandbox.failures import SandboxError


def test_providers_outlive_the_command_that_starts_them_and_end_when_told(tmp_path: Path) -> None:
    started = daemon.start(tmp_path)
    try:
        assert daemon.start(tmp_path) == started == daemon.endpoints(tmp_path)
        with urlopen(f"{started.moto_url}/moto-api/data.json") as answer:
            assert answer.status == 200
    finally:
        daemon.stop(tmp_path)
    assert daemon.endpoints(tmp_path) is None
    daemon.stop(tmp_path)


def test_a_failed_start_shows_its_log(tmp_path: Path) -> None:
    nowhere = Settings(address="192.0.2.1")
    with pytest.raises(SandboxError, match="Cannot assign requested address"):
        daemon.start(tmp_path, nowhere)


def test_settings_reach_the_process_whole(tmp_path: Path) -> None:
    machine = MachineSettings(image="host:1", kumomta="/opt/kumomta", trusted="authority.pem")
    listener = AwsListener(address="127.0.0.1", port=443, certificate="c.pem", key="k.pem")
    settings = Settings(address="127.0.0.1", machine=machine, aws=listener)
    daemon.write_settings(tmp_path, settings)
    assert daemon.settings_of(tmp_path) == settings
