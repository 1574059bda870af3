"""`ping8-agent ship`: copies finished segments of KumoMTA's logs to S3, each once.

Each gets a receipt for `ping8-agent prune`, which deletes by age only what is in S3: S3
gets the segment's SHA-256 and rejects content that differs.
"""

import argparse
import base64
import hashlib
import http.client
import json
import ssl
import sys
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostagent.logs.prune import STILL_WRITTEN, Segment, read_segments
from hostagent.metrics.cloudwatch import Credentials, SendError, authorization, credentials

_BUDGET = 480.0
"""Time limit of one run, below the unit's own limit."""

_EACH = 60.0
_CHUNK = 1 << 20

Receipts = dict[str, dict[str, Any]]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Target:
    """Where segments go. `host` and `port` are S3's, except in tests."""

    bucket: str
    region: str
    prefix: str
    port: int = 443

    @property
    def host(self) -> str:
        """The bucket's name on the network."""
        china = ".cn" if self.region.startswith("cn-") else ""
        return f"{self.bucket}.s3.{self.region}.amazonaws.com{china}"

    def path(self, segment: Segment) -> str:
        """The segment's key, by the day on which it was closed."""
        day = time.strftime("%Y/%m/%d", time.gmtime(segment.modified))
        return urllib.parse.quote(f"/{self.prefix}/{day}/{segment.path.name}", safe="/-_.~")


Put = Callable[[Target, Segment, Credentials], str]


def main(arguments: Sequence[str]) -> int:
    """Ship, and print what was shipped and what is pending as JSON."""
    parser = argparse.ArgumentParser(prog="ping8-agent ship", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args(arguments)
    target = Target(options.bucket, options.region, options.prefix)
    report, error = ship(options.directory, target, options.state)
    print(json.dumps(report))
    if error:
        print(f"ping8: {error}", file=sys.stderr)
    return 1 if error else 0


def ship(
    directory: Path,
    target: Target,
    state: Path,
    *,
    put: Put | None = None,
    keys: Callable[[], Credentials] = credentials,
    now: Clock = time.time,
) -> tuple[dict[str, int], str]:
    """Send finished segments without a receipt, oldest first; returns the result and an error."""
    put = put or put_object
    started, error, shipped = now(), "", 0
    receipts = read_receipts(state)
    segments = read_segments(directory)
    waiting = finished(segments, receipts, started)
    try:
        given = keys() if waiting else None
        for segment in list(waiting):
            if given is None or now() - started > _BUDGET:
                break
            receipts[segment.path.name] = {
                "size": segment.size,
                "sha256": put(target, segment, given),
            }
            waiting.remove(segment)
            shipped += 1
    except FileNotFoundError as gone:
        error = f"{gone.filename} was deleted before it was shipped"
    except SendError as failed:
        error = str(failed)
    here = {segment.path.name for segment in segments}
    write_receipts(state, {n: r for n, r in receipts.items() if n in here}, len(waiting))
    return {"shipped": shipped, "waiting": len(waiting)}, error


def finished(
    segments: Sequence[Segment], receipts: Mapping[str, Mapping[str, Any]], now: float
) -> list[Segment]:
    """Closed segments that are not in S3, oldest first."""
    chosen = [
        segment
        for segment in segments
        if not segment.path.name.startswith(".")
        and now - segment.modified > STILL_WRITTEN
        and receipts.get(segment.path.name, {}).get("size") != segment.size
    ]
    return sorted(chosen, key=lambda segment: segment.modified)


def put_object(target: Target, segment: Segment, keys: Credentials) -> str:
    """One PutObject; returns the digest in hex digits that S3 has checked."""
    digest = hashlib.sha256()
    with segment.path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        file.seek(0)
        path = target.path(segment)
        checksum = base64.b64encode(digest.digest()).decode()
        headers = {
            "Host": target.host,
            "Content-Length": str(segment.size),
            "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
            "X-Amz-Content-Sha256": digest.hexdigest(),
            "X-Amz-Checksum-Sha256": checksum,
            "X-Amz-Security-Token": keys.token,
        }
        headers["Authorization"] = authorization(
            target.region, "s3", headers, digest.hexdigest(), keys, method="PUT", path=path
        )
        connection = http.client.HTTPSConnection(
            target.host, target.port, timeout=_EACH, context=ssl.create_default_context()
        )
        try:
            connection.request("PUT", path, file, headers)
            answer = connection.getresponse()
            text = answer.read(4096).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            said = str(error) or type(error).__name__
            raise SendError(f"{target.host} cannot be reached: {said}") from None
        finally:
            connection.close()
    if answer.status != 200:
        raise SendError(f"{target.host} answers {answer.status}: {' '.join(text.split())[:300]}")
    if answer.getheader("x-amz-checksum-sha256", checksum) != checksum:
        raise SendError(f"{target.host} has {segment.path.name} with another checksum than ours")
    return digest.hexdigest()


def read_receipts(state: Path) -> Receipts:
    """Receipts by segment name; empty if they cannot be read, and then all are sent again."""
    try:
        receipts: Receipts = json.loads(state.read_bytes())["segments"]
    except (OSError, ValueError, KeyError):
        return {}
    return receipts


def write_receipts(state: Path, receipts: Receipts, waiting: int) -> None:
    """Written completely or not at all."""
    fresh = state.with_name(f".{state.name}.new")
    fresh.write_text(json.dumps({"waiting": waiting, "segments": receipts}), encoding="utf-8")
    fresh.replace(state)
