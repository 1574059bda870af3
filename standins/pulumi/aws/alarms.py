# ruff: noqa: ARG002 - every type's operations take the same arguments
"""CloudWatch alarms and dashboards."""

import json
import re
from collections.abc import Mapping
from typing import Any

from standins.pulumi.aws.resource import AwsResource, Scope, given, tag_list, tag_map
from standins.pulumi.errors import InvalidInputs, ProviderError
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Traits
from standins.pulumi.schema import Refusal

_ACTIONS = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "insufficientDataActions": "InsufficientDataActions",
    "okActions": "OKActions",
}
_MOST_CHILDREN = 100
"""Source: PutCompositeAlarm, AlarmRule."""
_KINDS = ("MetricAlarms", "CompositeAlarms")
_METRIC = {
    **_ACTIONS,
    "comparisonOperator": "ComparisonOperator",
    "datapointsToAlarm": "DatapointsToAlarm",
    "dimensions": "Dimensions",
    "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
    "evaluationPeriods": "EvaluationPeriods",
    "extendedStatistic": "ExtendedStatistic",
    "metricName": "MetricName",
    "namespace": "Namespace",
    "period": "Period",
    "statistic": "Statistic",
    "threshold": "Threshold",
    "thresholdMetricId": "ThresholdMetricId",
    "treatMissingData": "TreatMissingData",
    "unit": "Unit",
}


class _CloudWatch(AwsResource):
    def _retag(
        self, aws: Scope, identity: str, state: Properties, put: dict[str, str], drop: list[str]
    ) -> None:
        client = aws.client("cloudwatch")
        if drop:
            client.untag_resource(ResourceARN=state["arn"], TagKeys=drop)
        if put:
            client.tag_resource(ResourceARN=state["arn"], Tags=tag_list(put))

    def _tags(self, aws: Scope, arn: str) -> dict[str, str]:
        answer = aws.client("cloudwatch").list_tags_for_resource(ResourceARN=arn)
        return tag_map(answer.get("Tags"))


class MetricAlarm(_CloudWatch):
    kind = "aws:cloudwatch/metricAlarm:MetricAlarm"
    traits = Traits(
        replace=frozenset({"name", "region"}),
        sets=frozenset({"alarmActions", "okActions", "insufficientDataActions", "metricQueries"}),
        autoname="name",
    )

    def validate(self, inputs: Properties) -> None:
        if not inputs.get("metricQueries") and inputs.get("metricName") is None:
            reason = "one of metricName and metricQueries is required"
            raise InvalidInputs(Refusal(path="metricName", reason=reason))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        self._put(aws, inputs)
        return str(inputs["name"])

    def _put(self, aws: Scope, inputs: Properties) -> None:
        arguments = {"AlarmName": inputs["name"], **given(inputs, _METRIC)}
        if "Dimensions" in arguments:
            arguments["Dimensions"] = _dimensions(arguments["Dimensions"])
        if inputs.get("metricQueries"):
            arguments["Metrics"] = [_query(item) for item in inputs["metricQueries"]]
        aws.client("cloudwatch").put_metric_alarm(
            **arguments, Tags=tag_list(inputs.get("tagsAll") or {})
        )
        if inputs.get("treatMissingData") == "breaching" and not _has_data(aws, arguments):
            # Source: how CloudWatch alarms treat missing data; the actions follow at once.
            aws.client("cloudwatch").set_alarm_state(
                AlarmName=inputs["name"], StateValue="ALARM", StateReason="no datapoints"
            )

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        found = aws.client("cloudwatch").describe_alarms(AlarmNames=[identity])["MetricAlarms"]
        if not found:
            return None
        alarm = found[0]
        outputs = inputs_of(alarm, _METRIC)
        if "dimensions" in outputs:
            outputs["dimensions"] = {item["Name"]: item["Value"] for item in alarm["Dimensions"]}
        tags = self._tags(aws, alarm["AlarmArn"])
        return {**outputs, "arn": alarm["AlarmArn"], "name": identity, "tagsAll": tags}

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._put(aws, news)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        answer = aws.client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])
        for composite in answer["CompositeAlarms"]:
            if identity in _alarms_of(composite["AlarmRule"]):
                raise ProviderError(
                    f"api error ValidationError: Cannot delete {identity} as there are composite"
                    f" alarm(s) depending on it: {composite['AlarmName']}"
                )
        aws.client("cloudwatch").delete_alarms(AlarmNames=[identity])


def _has_data(aws: Scope, arguments: Properties) -> bool:
    """Whether anything was ever sent of what the alarm looks at; EC2's own metrics always come."""
    stats = [
        item["MetricStat"]["Metric"]
        for item in arguments.get("Metrics", [])
        if "MetricStat" in item
    ]
    read = stats or [arguments]
    return all(
        str(metric["Namespace"]).startswith("AWS/")
        or aws.client("cloudwatch").list_metrics(
            Namespace=metric["Namespace"],
            MetricName=metric["MetricName"],
            Dimensions=metric.get("Dimensions") or [],
        )["Metrics"]
        for metric in read
    )


def _alarms_of(rule: str) -> set[str]:
    """The alarms that a composite alarm's rule names, quoted or not."""
    found = re.findall(r'(?:ALARM|OK|INSUFFICIENT_DATA)\(\s*"?([^")]+?)"?\s*\)', rule)
    return {name.rsplit(":alarm:", 1)[-1] for name in found}


def _dimensions(given_dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in sorted(given_dimensions.items())]


def _query(item: Properties) -> Properties:
    names = {
        "id": "Id",
        "accountId": "AccountId",
        "expression": "Expression",
        "label": "Label",
        "period": "Period",
        "returnData": "ReturnData",
    }
    query = given(item, names)
    metric = item.get("metric")
    if metric:
        members = {"metricName": "MetricName", "namespace": "Namespace"}
        described = {
            **given(metric, members),
            "Dimensions": _dimensions(metric.get("dimensions") or {}),
        }
        statistics = {"period": "Period", "stat": "Stat", "unit": "Unit"}
        query["MetricStat"] = {"Metric": described, **given(metric, statistics)}
    return query


def inputs_of(described: Mapping[str, Any], names: Mapping[str, str]) -> Properties:
    """The API's members under the inputs' names, without empty ones."""
    return {
        name: described[api]
        for name, api in names.items()
        if described.get(api) not in (None, "", [])
    }


class CompositeAlarm(_CloudWatch):
    kind = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
    traits = Traits(
        replace=frozenset({"alarmName", "actionsEnabled", "region"}),
        sets=frozenset({"alarmActions", "okActions", "insufficientDataActions"}),
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        self._put(aws, inputs)
        return str(inputs["alarmName"])

    @staticmethod
    def _put(aws: Scope, inputs: Properties) -> None:
        names = {**_ACTIONS, "alarmName": "AlarmName", "alarmRule": "AlarmRule"}
        wanted = _alarms_of(inputs["alarmRule"])
        if len(wanted) > _MOST_CHILDREN:
            raise ProviderError(
                "api error ValidationError: Could not save the composite alarm as the alarm rule"
                f" has {len(wanted)} children alarms; at most {_MOST_CHILDREN} are allowed"
            )
        answer = aws.client("cloudwatch").describe_alarms(AlarmNames=sorted(wanted))
        found = {item["AlarmName"] for kind in _KINDS for item in answer[kind]}
        if wanted - found:
            raise ProviderError(
                "api error ValidationError: Could not save the composite alarm as alarms"
                f" [{', '.join(sorted(wanted - found))}] in the alarm rule do not exist"
            )
        aws.client("cloudwatch").put_composite_alarm(
            **given(inputs, names), Tags=tag_list(inputs.get("tagsAll") or {})
        )

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        answer = aws.client("cloudwatch").describe_alarms(
            AlarmNames=[identity], AlarmTypes=["CompositeAlarm"]
        )
        if not answer["CompositeAlarms"]:
            return None
        alarm = answer["CompositeAlarms"][0]
        return {
            **inputs_of(alarm, {**_ACTIONS, "alarmRule": "AlarmRule"}),
            "alarmName": identity,
            "arn": alarm["AlarmArn"],
            "tagsAll": self._tags(aws, alarm["AlarmArn"]),
        }

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._put(aws, news)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.client("cloudwatch").delete_alarms(AlarmNames=[identity])


class Dashboard(AwsResource):
    kind = "aws:cloudwatch/dashboard:Dashboard"
    traits = Traits(
        replace=frozenset({"dashboardName", "region"}), documents=frozenset({"dashboardBody"})
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        self._put(aws, inputs)
        return str(inputs["dashboardName"])

    @staticmethod
    def _put(aws: Scope, inputs: Properties) -> None:
        json.loads(inputs["dashboardBody"])
        aws.client("cloudwatch").put_dashboard(
            DashboardName=inputs["dashboardName"], DashboardBody=inputs["dashboardBody"]
        )

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        found = aws.client("cloudwatch").get_dashboard(DashboardName=identity)
        return {
            "dashboardArn": found["DashboardArn"],
            "dashboardBody": found["DashboardBody"],
            "dashboardName": identity,
        }

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._put(aws, news)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.client("cloudwatch").delete_dashboards(DashboardNames=[identity])


RESOURCES = [MetricAlarm, CompositeAlarm, Dashboard]
