"""Calls of AWS, above all PutMetricData, signed with the instance's role (IMDSv2, SigV4)."""

import contextlib
import gzip
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hostagent.metrics.model import Metric

METADATA = "169.254.169.254"
MOST = 1000
"""Metrics in one call."""

_METADATA_LIMIT, _CALL_LIMIT = 2.0, 8.0
_LIFETIME = "60"
"""Seconds for which the metadata session is needed."""

_ROLE = "/latest/meta-data/iam/security-credentials/"
_VERSION = "2010-08-01"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


class SendError(Exception):
    """CloudWatch did not accept it, with the reason."""


@dataclass(frozen=True)
class Credentials:
    """Of the instance's role."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)


def credentials(address: str = METADATA, *, limit: float = _METADATA_LIMIT) -> Credentials:
    """From the instance's metadata."""
    with _metadata(address, limit) as get:
        text = get(_ROLE + get(_ROLE).strip())
    try:
        given = json.loads(text)
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["Token"])
    except (ValueError, KeyError):
        raise SendError("instance metadata has no keys for a role") from None


def image(address: str = METADATA, *, limit: float = _METADATA_LIMIT) -> str:
    """The image that the instance was made from."""
    with _metadata(address, limit) as get:
        return get("/latest/meta-data/ami-id").strip()


@contextlib.contextmanager
def _metadata(address: str, limit: float) -> Iterator[Callable[[str], str]]:
    """Reads paths of the instance's metadata, in a session of their own."""
    connection = http.client.HTTPConnection(address, timeout=limit)
    try:
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": _LIFETIME}
        headers = {"X-aws-ec2-metadata-token": _ask(connection, "PUT", "/latest/api/token", ttl)}
        yield lambda path: _ask(connection, "GET", path, headers)
    except (OSError, http.client.HTTPException) as error:
        raise SendError(f"instance metadata does not answer: {_said(error)}") from None
    finally:
        connection.close()


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, headers: Mapping[str, str]
) -> str:
    connection.request(method, path, headers=dict(headers))
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    if answer.status == 404 and path.startswith(_ROLE):
        raise SendError("the instance has no role; see its instance profile")
    if answer.status != 200:
        raise SendError(f"instance metadata answers {answer.status} to {path}")
    return text


def form(
    namespace: str,
    metrics: Sequence[Metric],
    dimensions: Mapping[str, str],
    moment: int,
) -> bytes:
    """The call's body; the metrics' own dimensions come after the common ones."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    fields = {"Action": "PutMetricData", "Version": _VERSION, "Namespace": namespace}
    for number, metric in enumerate(metrics[:MOST], start=1):
        row = f"MetricData.member.{number}"
        fields |= {
            f"{row}.MetricName": metric.name,
            f"{row}.Value": repr(round(float(metric.value), 6)),
            f"{row}.Unit": metric.unit,
            f"{row}.Timestamp": stamp,
        }
        own = {name.capitalize(): value for name, value in metric.dimensions.items()}
        for place, (name, value) in enumerate({**dimensions, **own}.items(), start=1):
            fields[f"{row}.Dimensions.member.{place}.Name"] = name
            fields[f"{row}.Dimensions.member.{place}.Value"] = value
    return urllib.parse.urlencode(fields).encode("ascii")


def send(
    region: str, body: bytes, keys: Credentials, *, port: int = 443, now: float | None = None
) -> int:
    """Send a body that `form` made, once; returns the bytes sent."""
    packed = gzip.compress(body, 6, mtime=0)
    status, text = post(
        "monitoring",
        region,
        packed,
        keys,
        encoding="gzip",
        port=port,
        limit=_CALL_LIMIT,
        now=now,
    )
    if status != 200:
        reason = " ".join(text.split())[:300]
        raise SendError(f"{endpoint(region, 'monitoring')} answers {status}: {reason}")
    return len(packed)


def post(
    service: str,
    region: str,
    body: bytes,
    keys: Credentials,
    *,
    limit: float,
    encoding: str = "",
    port: int = 443,
    now: float | None = None,
) -> tuple[int, str]:
    """One signed call of AWS's query API, once: its status and its text, at most 64 KiB."""
    host = endpoint(region, service)
    headers = {
        "Content-Type": _FORM,
        **({"Content-Encoding": encoding} if encoding else {}),
        "Host": host,
        "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)),
        "X-Amz-Security-Token": keys.token,
    }
    digest = hashlib.sha256(body).hexdigest()
    headers["Authorization"] = authorization(region, service, headers, digest, keys)
    connection = http.client.HTTPSConnection(
        host, port, timeout=limit, context=ssl.create_default_context()
    )
    try:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(1 << 16).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise SendError(f"{host} cannot be reached: {_said(error)}") from None
    finally:
        with contextlib.suppress(OSError):
            connection.close()


def endpoint(region: str, service: str) -> str:
    """A service's name in a region."""
    china = ".cn" if region.startswith("cn-") else ""
    return f"{service}.{region}.amazonaws.com{china}"


def authorization(
    region: str,
    service: str,
    headers: Mapping[str, str],
    digest: str,
    keys: Credentials,
    *,
    method: str = "POST",
    path: str = "/",
) -> str:
    """The header of AWS's signature, version 4, over all given headers; `digest` is the
    body, SHA-256 in hex digits."""
    moment = headers["X-Amz-Date"]
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    signed = ";".join(sorted(lowered))
    lines = "".join(f"{name}:{lowered[name]}\n" for name in sorted(lowered))
    request = "\n".join((method, path, "", lines, signed, digest))
    summary = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, summary))
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return (
        f"AWS4-HMAC-SHA256 Credential={keys.key_id}/{scope}, "
        f"SignedHeaders={signed}, Signature={signature}"
    )


def _said(error: Exception) -> str:
    if isinstance(error, socket.timeout):
        return "no answer in time"
    return str(error) or type(error).__name__


def absolute(metrics: Iterable[Metric], names: frozenset[str]) -> list[Metric]:
    """Metrics of these names without their sign, because an alarm has only one limit."""
    return [
        Metric(one.name, abs(one.value), one.unit, one.dimensions) if one.name in names else one
        for one in metrics
    ]
