"""CloudWatch as moto plays it, which keeps alarms but never judges them: here they are judged."""

import datetime
import json
from collections.abc import Callable
from typing import Any, Literal

import boto3

from sandbox import cloud
from sandbox.run import Sandbox
from tests.sandbox.e2e.deploying import on

AGENT = "/usr/local/sbin/ping8-agent"
_OVER: dict[str, Callable[[float, float], bool]] = {
    "LessThanThreshold": lambda value, limit: value < limit,
    "GreaterThanThreshold": lambda value, limit: value > limit,
    "GreaterThanOrEqualToThreshold": lambda value, limit: value >= limit,
}


def cloudwatch(sandbox: Sandbox) -> Any:
    """A client of the sandbox's CloudWatch."""
    return client(sandbox, "cloudwatch")


def client(sandbox: Sandbox, service: Literal["cloudwatch", "sns"]) -> Any:
    """A client of a service of the sandbox's AWS."""
    endpoints = cloud.endpoints(sandbox.layout.daemons)
    assert endpoints is not None
    return boto3.client(
        service,
        endpoint_url=endpoints.moto_url,
        region_name="eu-central-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )


def tell(sandbox: Sandbox, host: str = "mta-1") -> None:
    """One run of the host's timer, which must get through to CloudWatch."""
    on(sandbox, host, "systemctl", "start", "ping8-metrics")


def metrics(sandbox: Sandbox, host: str = "mta-1") -> dict[tuple[str, ...], float]:
    """What the host reports to operators now, by name and dimensions."""
    answer = json.loads(on(sandbox, host, AGENT, "status"))
    return {(one["name"], *one["dimensions"].values()): one["value"] for one in answer["metrics"]}


def state(sandbox: Sandbox, key: str) -> str:
    """The alarm's state by what was sent in the last minutes; moto is told, as AWS would know.

    Of each metric the value counts that is nearest to the alarm: one look after a fault must do,
    where AWS waits for several.
    """
    client = cloudwatch(sandbox)
    name = f"ping8-{sandbox.deployment.settings.environment}-{key}"
    (alarm,) = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    worst = min if alarm["ComparisonOperator"] == "LessThanThreshold" else max
    values = [worst(_values(client, read)) for read in _reads(alarm)]
    value = sum(values) if _expression(alarm).startswith("FILL") else worst(values)
    over = _OVER[alarm["ComparisonOperator"]](value, alarm["Threshold"])
    found = "ALARM" if over else "OK"
    client.set_alarm_state(AlarmName=name, StateValue=found, StateReason=f"{value}")
    (told,) = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(told["StateValue"])


def _reads(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    if "MetricName" in alarm:
        return [alarm]
    return [query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query]


def _expression(alarm: dict[str, Any]) -> str:
    queries = alarm.get("Metrics", [])
    return next((query["Expression"] for query in queries if query.get("Expression")), "")


def _values(client: Any, read: dict[str, Any]) -> list[float]:
    now = datetime.datetime.now(datetime.UTC)
    found = client.get_metric_statistics(
        Namespace=read["Namespace"],
        MetricName=read["MetricName"],
        Dimensions=read["Dimensions"],
        StartTime=now - datetime.timedelta(minutes=1),
        EndTime=now + datetime.timedelta(minutes=1),
        Period=60,
        Statistics=["Minimum", "Maximum"],
    )["Datapoints"]
    return [point[name] for point in found for name in ("Minimum", "Maximum")]
