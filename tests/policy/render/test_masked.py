"""What KumoMTA's package enables starts at a reboot only where the host uses it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from policy.release import Release
from tests.examples import SMALL, mta_of, proxy_of

ENABLED_BY_THE_PACKAGE = ("kumomta.service", "kumo-tsa-daemon.service")
"""Its postinst, in the August 2026 sources (assets/build-deb.sh)."""


@pytest.mark.skipif(shutil.which("systemctl") is None, reason="no systemd here")
@pytest.mark.parametrize(
    ("release", "masked"),
    [
        (proxy_of(SMALL), set(ENABLED_BY_THE_PACKAGE)),
        (mta_of(SMALL), {"kumo-tsa-daemon.service"}),
    ],
    ids=["proxy", "mta"],
)
def test_systemd_takes_unused_units_for_masked(
    tmp_path: Path, release: Release, masked: set[str]
) -> None:
    packaged = tmp_path / "usr/lib/systemd/system"
    live, store = tmp_path / "etc/systemd/system", tmp_path / "store"
    for folder in (packaged, live, store):
        folder.mkdir(parents=True)
    files = {file.path: file.content for file in release.files}
    for unit in ENABLED_BY_THE_PACKAGE:
        (packaged / unit).write_text(
            "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=x.target\n"
        )
        path = f"/etc/systemd/system/{unit}"
        if path in files:
            # As the agent has it: the live path is a link into the release.
            (store / unit).write_bytes(files[path])
            (live / unit).symlink_to(f"/store/{unit}")
    answers = {
        unit: subprocess.run(
            ["systemctl", f"--root={tmp_path}", "is-enabled", unit],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        for unit in ENABLED_BY_THE_PACKAGE
    }
    assert {unit for unit, answer in answers.items() if answer == "masked"} == masked
