"""The table of metrics as CloudWatch alarms, with a topic and a dashboard."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.dashboard import dashboard_body, query_dimensions
from components.tagging import named
from policy.metrics import Planned, load, planned_alarms
from policy.metrics.model import Read
from policy.metrics.plan import paging, shared_zones
from policy.settings import Settings

_COMPARISONS = {
    "below": "LessThanThreshold",
    "above": "GreaterThanThreshold",
    "at-least": "GreaterThanOrEqualToThreshold",
}
_EC2, _BALANCER = "AWS/EC2", "AWS/NetworkELB"


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """Inputs of the alarms. `instance_ids` are by host, `role_names` by MTA host.

    `pushed` is every release: a host sends no metric before its first, and an alarm that treats
    missing data as a breach would wake people up.
    """

    settings: Settings
    instance_ids: Mapping[str, pulumi.Input[str]]
    pushed: Sequence[pulumi.Resource]
    role_names: Mapping[str, pulumi.Input[str]]
    balancer: Mapping[str, pulumi.Input[str]]
    """The load balancer's dimensions; none of one MTA host alone."""
    tags: Mapping[str, str]


class Alarms(pulumi.ComponentResource):
    """The alarms that operators get.

    Creates:
    - an SNS topic with a subscription for each e-mail address, unless a topic is configured;
      the MTA hosts may count who confirmed
    - a CloudWatch alarm for each row of the table, on each host, volume, provider and source, and
      on the load balancer
    - the composite alarms for mail that is not flowing, and for a lost zone
    - the environment's dashboard
    """

    topic_arn: pulumi.Output[str]
    subscribed: pulumi.Output[str] | None
    """The topic, where it is ours and somebody is to confirm a subscription."""
    dashboard_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:Alarms", name, None, opts)
        self._name = name
        self._settings = args.settings
        self._args = args
        self.topic_arn = self._topic()
        ours = args.settings.alarms.topic is None and bool(args.settings.operators.emails)
        self.subscribed = self._counted(name) if ours else None
        planned = planned_alarms(args.settings)
        alarms = {one.key: self._alarm(one) for one in planned}
        composites = [self._not_flowing(alarms), *self._lost_zones(alarms)]
        arns = [
            *(composite.arn for composite in composites),
            *(alarm.arn for alarm in alarms.values()),
        ]
        dashboard = aws.cloudwatch.Dashboard(
            f"{name}-dashboard",
            dashboard_name=aws_name(args.settings),
            dashboard_body=pulumi.Output.all(*arns).apply(self._body),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.dashboard_name = dashboard.dashboard_name
        self.register_outputs({"topic_arn": self.topic_arn, "dashboard_name": self.dashboard_name})

    def _body(self, arns: Sequence[str]) -> str:
        return dashboard_body(self._settings, arns)

    def _topic(self) -> pulumi.Output[str]:
        """Not encrypted: CloudWatch may not publish under the key that AWS manages for SNS."""
        given = self._settings.alarms.topic
        if given:
            return pulumi.Output.from_input(given)
        child = pulumi.ResourceOptions(parent=self)
        name = aws_name(self._settings, "alarms")
        topic = aws.sns.Topic(
            f"{self._name}-topic",
            name=name,
            display_name=f"PING8 mail {self._settings.environment}",
            tags=named(self._args.tags, name),
            opts=child,
        )
        for email in self._settings.operators.emails:
            aws.sns.TopicSubscription(
                f"{self._name}-to-{email}",
                topic=topic.arn,
                protocol="email",
                endpoint=email,
                opts=child,
            )
        return topic.arn

    def _counted(self, name: str) -> pulumi.Output[str]:
        """The topic, whose confirmed and pending subscriptions the MTA hosts may count."""
        for host, role in self._args.role_names.items():
            aws.iam.RolePolicy(
                f"{name}-subscriptions-{host}",
                role=role,
                policy=self.topic_arn.apply(_may_count),
                opts=pulumi.ResourceOptions(parent=self),
            )
        return self.topic_arn

    def _alarm(self, planned: Planned) -> aws.cloudwatch.MetricAlarm:
        alarm = planned.alarm
        name = aws_name(self._settings, planned.key)
        told: list[pulumi.Input[str]] = [self.topic_arn]
        return aws.cloudwatch.MetricAlarm(
            f"{self._name}-{planned.key}",
            name=name,
            alarm_description=planned.description,
            comparison_operator=_COMPARISONS[alarm.is_],
            threshold=planned.threshold,
            evaluation_periods=alarm.periods,
            datapoints_to_alarm=alarm.periods,
            treat_missing_data=alarm.missing,
            actions_enabled=not self._settings.alarms.maintenance,
            alarm_actions=[*told, *self._fixes(planned)],
            ok_actions=told,
            tags={**named(self._args.tags, name), "Severity": alarm.severity},
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(self._args.pushed)),
            **self._looks_at(planned),
        )

    def _fixes(self, planned: Planned) -> list[str]:
        """The action that EC2 takes by itself."""
        if planned.alarm.action is None:
            return []
        region = self._settings.region
        return [f"arn:{partition(region)}:automate:{region}:ec2:{planned.alarm.action}"]

    def _looks_at(self, planned: Planned) -> dict[str, Any]:
        reads = planned.alarm.read
        if planned.expression is None:
            ((_, read),) = reads.items()
            return {
                "namespace": _namespace(read),
                "metric_name": read.name,
                "dimensions": self._dimensions(planned, read),
                "statistic": read.statistic,
                "period": planned.period,
            }
        queries = [
            {
                "id": identity,
                "return_data": False,
                "metric": {
                    "namespace": load().namespace,
                    "metric_name": read.metric,
                    "dimensions": self._dimensions(planned, read),
                    "stat": read.statistic,
                    "period": planned.period,
                },
            }
            for identity, read in reads.items()
        ]
        outcome = {
            "id": "outcome",
            "expression": planned.expression,
            "label": planned.alarm.name,
            "return_data": True,
        }
        return {"metric_queries": [*queries, outcome]}

    def _dimensions(self, planned: Planned, read: Read) -> dict[str, pulumi.Input[str]]:
        if read.ec2:
            return {"InstanceId": self._args.instance_ids[planned.host]}
        if read.balancer:
            return dict(self._args.balancer)
        found: dict[str, pulumi.Input[str]] = {}
        found.update(query_dimensions(self._settings, planned.host, planned.dimensions))
        return found

    def _not_flowing(self, alarms: Mapping[str, pulumi.Resource]) -> aws.cloudwatch.CompositeAlarm:
        table, parts = load().composite, paging(self._settings)
        text = f"{table.means} {table.do}"
        if len(parts) == 1:
            return self._composite(table.name, text, " OR ", alarms, parts[0])
        wholes = {
            key: self._composite(
                key, f"Part of {table.name}. {text}", " OR ", alarms, keys, mute=True
            )
            for key, keys in ((f"{table.name}-{n}", part) for n, part in enumerate(parts, 1))
        }
        return self._composite(table.name, text, " OR ", wholes, tuple(wholes))

    def _lost_zones(
        self, alarms: Mapping[str, pulumi.Resource]
    ) -> Iterator[aws.cloudwatch.CompositeAlarm]:
        table, settings = load().lost_zone, self._settings
        for subnet, hosts in shared_zones(settings).items():
            text = f"subnet {subnet} ({', '.join(hosts)}): {table.means} {table.do}"
            keys = tuple(f"{host}-{table.all}" for host in hosts)
            yield self._composite(f"{table.name}-{subnet}", text, " AND ", alarms, keys)

    def _composite(
        self,
        key: str,
        text: str,
        operator: str,
        alarms: Mapping[str, pulumi.Resource],
        keys: Sequence[str],
        *,
        mute: bool = False,
    ) -> aws.cloudwatch.CompositeAlarm:
        settings = self._settings
        name = aws_name(settings, key)
        notified = None if mute else [self.topic_arn]
        return aws.cloudwatch.CompositeAlarm(
            f"{self._name}-{key}",
            alarm_name=name,
            alarm_description=f"{settings.environment}: {text}",
            alarm_rule=operator.join(f'ALARM("{aws_name(settings, each)}")' for each in keys),
            actions_enabled=not settings.alarms.maintenance,
            alarm_actions=notified,
            ok_actions=notified,
            tags={**named(self._args.tags, name), "Severity": "critical"},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[alarms[each] for each in keys]),
        )


def _namespace(read: Read) -> str:
    if read.metric:
        return load().namespace
    return _EC2 if read.ec2 else _BALANCER


def _may_count(topic: str) -> str:
    statement = {"Effect": "Allow", "Action": "sns:GetTopicAttributes", "Resource": topic}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def aws_name(settings: Settings, *parts: str) -> str:
    """Names of alarms and dashboards are unique per account, so they include the environment."""
    return "-".join(("ping8", settings.environment, *parts))


def partition(region: str) -> str:
    """AWS's partition, which ARNs begin with."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
