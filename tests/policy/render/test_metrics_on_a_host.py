"""The timer's service under real systemd: its fence leaves it all that it needs, and no network
is no trouble."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples import LARGE, mta_of
from tests.policy.render.test_on_a_host import KUMOD_UNIT, Booted, booted, program

pytestmark = pytest.mark.host

BUSY = Path(__file__).parents[2] / "hostagent" / "metrics" / "captured" / "busy.json"
KUMOD = f"""#!/usr/bin/python3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

METRICS = {BUSY.read_bytes()!r}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path in ("/metrics.json", "/api/check-liveness/v1")
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(METRICS)))
        self.end_headers()
        self.wfile.write(METRICS)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def mta() -> Iterator[Booted]:
    with booted("metrics") as host:
        host.sh(
            "useradd --system --user-group kumod; mkdir -p /var/spool/kumomta /var/log/kumomta; "
            "for path in spool log; do mount -t tmpfs none /var/$path/kumomta; done"
        )
        host.write(
            program("/opt/kumomta/sbin/kumod", KUMOD),
            program("/lib/systemd/system/kumomta.service", KUMOD_UNIT, mode=0o644),
        )
        host.install(mta_of(LARGE, certificate={"kind": "self-signed"}))
        host.sh("systemctl start kumomta; systemctl restart nginx")
        # Owned by another user and closed to all others, as kumod leaves it.
        host.sh(
            "python3 -c 'import sqlite3; db = sqlite3.connect(\"/var/spool/kumomta/ping8/"
            'dead-letters.sqlite"); db.execute("CREATE TABLE dead_letters (event_id TEXT)"); '
            "db.commit()'; cd /var/spool/kumomta/ping8; chmod 660 dead-letters.sqlite; "
            "chown kumod:kumod dead-letters.sqlite"
        )
        yield host


def test_the_service_sees_everything_and_fails_only_for_want_of_a_network(mta: Booted) -> None:
    mta.sh("systemctl start ping8-metrics", check=False)
    said = mta.sh("journalctl --unit=ping8-metrics --output=cat --quiet")
    lines = [line for line in said.splitlines() if line.startswith("ping8: ")]
    assert [line for line in lines if "clock" not in line] == [
        "ping8: not sent: instance metadata does not answer: [Errno 101] Network is unreachable"
    ], said
    state = json.loads(mta.sh("cat /var/lib/ping8/metrics.json"))
    assert state["counters"]["received http_listener"] == 5000


def test_the_timer_starts_it_again_and_again(mta: Booted) -> None:
    mta.sh("systemctl start ping8-metrics.timer")
    assert mta.active("ping8-metrics.timer") == ["active"]
    shown = mta.sh("systemctl show --property=TimersMonotonic ping8-metrics.timer")
    assert "OnUnitActiveUSec=1min" in shown


def test_mail_comes_first(mta: Booted) -> None:
    properties = "--property=Nice,IOSchedulingClass,TimeoutStartUSec,OOMScoreAdjust"
    shown = mta.sh(f"systemctl show {properties} ping8-metrics").split()
    assert sorted(shown) == [
        "IOSchedulingClass=3",
        "Nice=19",
        "OOMScoreAdjust=500",
        "TimeoutStartUSec=50s",
    ]
