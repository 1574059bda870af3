"""The one call: signed as AWS's own library signs it, and taken by a CloudWatch."""

import datetime
import gzip
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest

from hostagent.metrics.cloudwatch import Credentials, SendError, credentials, endpoint, form, send
from hostagent.metrics.model import Metric
from tests.hostagent.metrics.aws import Front, signature
from tests.hostagent.metrics.station import parsed

KEYS = Credentials("AKIAEXAMPLE", "secretsecretsecret", "tokentoken")
METRICS = [
    Metric("disk_free_percent", 12.5, "Percent", {"volume": "spool"}),
    Metric("delivered", 3, "Count", {"provider": "google", "source": "out-1"}),
    Metric("kumod_up", 1.0, "None"),
]
COMMON = {"Environment": "prod", "Host": "mta"}


def test_the_signature_is_that_of_awss_own_library(front: Front) -> None:
    send("eu-central-1", form("PING8/Else", METRICS, COMMON, 0), KEYS, port=front.port)
    ((_, _, headers),) = front.requests
    assert headers["X-Amz-Security-Token"] == KEYS.token
    ours = headers["Authorization"]
    assert ours == signature("monitoring", front.requests[0], front.bodies[0], KEYS)


def test_the_body_contains_the_message() -> None:
    assert parsed(form("PING8/Mail", METRICS, COMMON, 0)) == {
        ("disk_free_percent", ("spool",)): 12.5,
        ("delivered", ("google", "out-1")): 3,
        ("kumod_up", ()): 1,
    }


def test_no_call_has_more_metrics_than_cloudwatch_takes() -> None:
    many = [Metric("delivered", 1, "Count", {"source": str(n)}) for n in range(1500)]
    assert len(parsed(form("PING8/Mail", many, COMMON, 0))) == 1000


def test_cloudwatch_holds_what_was_sent(front: Front, moto: int) -> None:
    moment = int(datetime.datetime.now(datetime.UTC).timestamp())
    body = form("PING8/Mail", METRICS, COMMON, moment)
    sent = send("eu-central-1", body, KEYS, port=front.port)
    assert len(front.bodies) == 1
    assert sent == len(front.bodies[0]) < len(body)
    assert gzip.decompress(front.bodies[0]) == body
    client = boto3.client(
        "cloudwatch",
        region_name="eu-central-1",
        endpoint_url=f"http://127.0.0.1:{moto}",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    held = client.list_metrics(Namespace="PING8/Mail")["Metrics"]
    assert {metric["MetricName"] for metric in held} == {metric.name for metric in METRICS}
    (flow,) = [metric for metric in held if metric["MetricName"] == "delivered"]
    assert {one["Name"]: one["Value"] for one in flow["Dimensions"]} == {
        **COMMON,
        "Provider": "google",
        "Source": "out-1",
    }


def test_a_refusal_is_reported_in_cloudwatchs_words(front: Front) -> None:
    with pytest.raises(SendError, match=r"monitoring\.eu-central-1\.amazonaws\.com answers \d"):
        send("eu-central-1", b"Action=NoSuchThing&Version=2010-08-01", KEYS, port=front.port)


def test_no_route_out_is_reported(loopback: None) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(SendError, match="cannot be reached"):
            send("eu-central-1", b"", KEYS, port=port)


def test_a_secret_key_is_in_no_text() -> None:
    assert KEYS.secret not in repr(KEYS)
    assert KEYS.token not in repr(KEYS)


def test_china_has_its_own_endpoint() -> None:
    assert endpoint("cn-north-1", "monitoring") == "monitoring.cn-north-1.amazonaws.com.cn"


class Metadata:
    """The instance's metadata; `role` is what it says of its role."""

    def __init__(self) -> None:
        self.role: tuple[int, str] = (200, "mta-role")
        self.keys = '{"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T"}'
        metadata = self

        class Handler(BaseHTTPRequestHandler):
            def _say(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def do_PUT(self) -> None:
                assert self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
                self._say(200, "session")

            def do_GET(self) -> None:
                if self.headers["X-aws-ec2-metadata-token"] != "session":
                    self._say(401, "")
                elif self.path.endswith("security-credentials/"):
                    self._say(*metadata.role)
                else:
                    assert self.path.endswith("/mta-role")
                    self._say(200, metadata.keys)

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    made = Metadata()
    yield made
    made.close()


def test_keys_come_from_the_instances_role_by_a_session(metadata: Metadata) -> None:
    assert credentials(metadata.address) == Credentials("A", "S", "T")


def test_an_instance_without_a_role_is_reported(metadata: Metadata) -> None:
    metadata.role = (404, "")
    with pytest.raises(SendError, match="no role"):
        credentials(metadata.address)


def test_keys_that_are_missing_are_reported_without_the_content(metadata: Metadata) -> None:
    metadata.keys = '{"Code": "Failed", "SecretAccessKey": "S3CRET"}'
    with pytest.raises(SendError, match="no keys") as told:
        credentials(metadata.address)
    assert "S3CRET" not in str(told.value)


def test_metadata_that_does_not_answer_is_reported() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(SendError, match="does not answer"):
            credentials(address)
