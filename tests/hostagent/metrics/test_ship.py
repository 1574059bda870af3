"""Finished log segments reach S3 once, and none that has not is deleted by its age."""

import base64
import dataclasses
import hashlib
import json
import os
import time
from pathlib import Path

import boto3
import pytest

from hostagent.logs import prune
from hostagent.logs.prune import STILL_WRITTEN, Segment
from hostagent.logs.ship import Target, read_receipts, ship
from hostagent.metrics.cloudwatch import Credentials, SendError
from tests.hostagent.metrics.aws import Front, signature

KEYS = Credentials("A", "S", "T")
TARGET = Target("example-logs", "eu-central-1", "prod/mta")
DAY = 86400


def segment(folder: Path, name: str, *, age: float, content: bytes = b"log") -> Path:
    path = folder / name
    path.write_bytes(content)
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


class Bucket:
    """Takes segments, unless told to refuse."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.refuse_from = 1000

    def __call__(self, target: Target, found: Segment, keys: Credentials) -> str:
        if len(self.held) >= self.refuse_from:
            raise SendError("S3 answers 503")
        self.held.append(found.path.name)
        return "digest"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    segment(folder, "older", age=7200)
    segment(folder, "old", age=3600)
    segment(folder, "open", age=STILL_WRITTEN / 2)
    return folder


def run(logs: Path, bucket: Bucket, tmp_path: Path) -> tuple[dict[str, int], str]:
    return ship(logs, TARGET, tmp_path / "shipped.json", put=bucket, keys=lambda: KEYS)


def test_finished_segments_go_oldest_first_and_once(logs: Path, tmp_path: Path) -> None:
    bucket = Bucket()
    assert run(logs, bucket, tmp_path) == ({"shipped": 2, "waiting": 0}, "")
    assert run(logs, bucket, tmp_path) == ({"shipped": 0, "waiting": 0}, "")
    assert bucket.held == ["older", "old"]


def test_what_s3_refuses_waits_for_the_next_run(logs: Path, tmp_path: Path) -> None:
    bucket = Bucket()
    bucket.refuse_from = 1
    assert run(logs, bucket, tmp_path) == ({"shipped": 1, "waiting": 1}, "S3 answers 503")
    assert json.loads((tmp_path / "shipped.json").read_text())["waiting"] == 1
    bucket.refuse_from = 1000
    assert run(logs, bucket, tmp_path) == ({"shipped": 1, "waiting": 0}, "")


def test_without_keys_nothing_is_lost(logs: Path, tmp_path: Path) -> None:
    def none() -> Credentials:
        raise SendError("the instance has no role")

    state = tmp_path / "shipped.json"
    report, error = ship(logs, TARGET, state, put=Bucket(), keys=none)
    assert (report, error) == ({"shipped": 0, "waiting": 2}, "the instance has no role")


def test_a_segment_that_grew_after_its_receipt_is_sent_again(logs: Path, tmp_path: Path) -> None:
    bucket = Bucket()
    run(logs, bucket, tmp_path)
    segment(logs, "old", age=3600, content=b"log and more")
    run(logs, bucket, tmp_path)
    assert bucket.held == ["older", "old", "old"]


def test_receipts_of_deleted_segments_go(logs: Path, tmp_path: Path) -> None:
    run(logs, Bucket(), tmp_path)
    (logs / "older").unlink()
    run(logs, Bucket(), tmp_path)
    assert set(read_receipts(tmp_path / "shipped.json")) == {"old"}


def pruned(logs: Path, tmp_path: Path, *, gib: int = 1) -> dict[str, int]:
    segments = prune.read_segments(logs)
    arrived = prune.read_arrived(tmp_path / "shipped.json")
    chosen = prune.to_delete(
        segments, now=time.time(), keep_seconds=1800, keep_bytes=gib, arrived=arrived
    )
    return {one.path.name: prune.has_arrived(one, arrived) for one in chosen}


def test_age_deletes_only_what_has_arrived(logs: Path, tmp_path: Path) -> None:
    bucket = Bucket()
    bucket.refuse_from = 1
    run(logs, bucket, tmp_path)
    assert pruned(logs, tmp_path, gib=2**30) == {"older": True}


def test_nothing_has_arrived_before_the_first_shipment(logs: Path, tmp_path: Path) -> None:
    assert pruned(logs, tmp_path, gib=2**30) == {}


def test_a_full_disk_deletes_what_has_not_arrived_and_says_so(logs: Path, tmp_path: Path) -> None:
    assert pruned(logs, tmp_path, gib=0) == {"older": False, "old": False}


def test_the_verb_reports_how_many_were_lost(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--directory", str(logs), "--keep-seconds", "1800", "--keep-gib", "0"]
    assert prune.main([*options, "--shipped", str(tmp_path / "shipped.json")]) == 0
    assert json.loads(capsys.readouterr().out)["deleted_unshipped"] == 2


def test_s3_holds_the_very_bytes(logs: Path, tmp_path: Path, front: Front, moto: int) -> None:
    client = boto3.client(
        "s3",
        region_name="eu-central-1",
        endpoint_url=f"http://127.0.0.1:{moto}",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    client.create_bucket(
        Bucket=TARGET.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    content = os.urandom(300_000)
    segment(logs, "older", age=7200, content=content)
    target = dataclasses.replace(TARGET, port=front.port)
    done = ship(logs, target, tmp_path / "shipped.json", keys=lambda: KEYS)
    assert done == ({"shipped": 2, "waiting": 0}, "")
    day = time.strftime("%Y/%m/%d", time.gmtime(time.time() - 7200))
    held = client.get_object(Bucket=TARGET.bucket, Key=f"prod/mta/{day}/older")
    assert held["Body"].read() == content
    for request, body in zip(front.requests, front.bodies, strict=True):
        headers = request[2]
        digest = hashlib.sha256(body)
        assert headers["X-Amz-Security-Token"] == KEYS.token
        assert base64.b64decode(headers["X-Amz-Checksum-Sha256"]) == digest.digest()
        assert headers["X-Amz-Content-Sha256"] == digest.hexdigest()
        assert headers["Authorization"] == signature("s3", request, body, KEYS)
