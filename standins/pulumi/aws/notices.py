# ruff: noqa: ARG002 - every type's operations take the same arguments
"""SNS topics, which carry alarms, and log groups."""

from collections.abc import Mapping

from standins.pulumi.aws.account import ACCOUNT_ID
from standins.pulumi.aws.alarms import inputs_of
from standins.pulumi.aws.resource import AwsResource, Scope, given, tag_list, tag_map
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Traits


class LogGroup(AwsResource):
    kind = "aws:cloudwatch/logGroup:LogGroup"
    traits = Traits(replace=frozenset({"name", "namePrefix", "region"}), autoname="name")

    def _create(self, aws: Scope, inputs: Properties) -> str:
        tags = inputs.get("tagsAll") or {}
        named = {"logGroupName": inputs["name"], **({"tags": tags} if tags else {})}
        aws.client("logs").create_log_group(**named, **given(inputs, {"kmsKeyId": "kmsKeyId"}))
        self._update(aws, inputs["name"], {}, inputs)
        return str(inputs["name"])

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        answer = aws.client("logs").describe_log_groups(logGroupNamePrefix=identity)
        found = [each for each in answer["logGroups"] if each["logGroupName"] == identity]
        if not found:
            return None
        arn = f"arn:aws:logs:{aws.region}:{ACCOUNT_ID}:log-group:{identity}"
        tags = aws.client("logs").list_tags_for_resource(resourceArn=arn)["tags"]
        return {
            "arn": arn,
            "name": identity,
            "retentionInDays": found[0].get("retentionInDays", 0),
            "tagsAll": dict(tags),
        }

    def _retag(
        self, aws: Scope, identity: str, state: Properties, put: dict[str, str], drop: list[str]
    ) -> None:
        if drop:
            aws.client("logs").untag_resource(resourceArn=state["arn"], tagKeys=drop)
        if put:
            aws.client("logs").tag_resource(resourceArn=state["arn"], tags=put)

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        days = news.get("retentionInDays")
        if days:
            aws.client("logs").put_retention_policy(
                logGroupName=identity, retentionInDays=int(days)
            )
        elif olds.get("retentionInDays"):
            aws.client("logs").delete_retention_policy(logGroupName=identity)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        if not state.get("skipDestroy"):
            aws.client("logs").delete_log_group(logGroupName=identity)


class Topic(AwsResource):
    kind = "aws:sns/topic:Topic"
    traits = Traits(
        replace=frozenset({"name", "namePrefix", "fifoTopic", "region"}),
        documents=frozenset({"policy", "deliveryPolicy"}),
        autoname="name",
    )
    _ATTRIBUTES: Mapping[str, str] = {
        "deliveryPolicy": "DeliveryPolicy",
        "displayName": "DisplayName",
        "kmsMasterKeyId": "KmsMasterKeyId",
        "policy": "Policy",
    }

    def _create(self, aws: Scope, inputs: Properties) -> str:
        created = aws.client("sns").create_topic(
            Name=inputs["name"],
            Attributes=given(inputs, self._ATTRIBUTES),
            Tags=tag_list(inputs.get("tagsAll") or {}),
        )
        return str(created["TopicArn"])

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        attributes = aws.client("sns").get_topic_attributes(TopicArn=identity)["Attributes"]
        tags = aws.client("sns").list_tags_for_resource(ResourceArn=identity)["Tags"]
        return {
            **inputs_of(attributes, self._ATTRIBUTES),
            "arn": identity,
            "name": identity.rsplit(":", 1)[-1],
            "owner": attributes["Owner"],
            "tagsAll": tag_map(tags),
        }

    def _retag(
        self, aws: Scope, identity: str, state: Properties, put: dict[str, str], drop: list[str]
    ) -> None:
        if drop:
            aws.client("sns").untag_resource(ResourceArn=identity, TagKeys=drop)
        if put:
            aws.client("sns").tag_resource(ResourceArn=identity, Tags=tag_list(put))

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        for name, attribute in self._ATTRIBUTES.items():
            if olds.get(name) != news.get(name):
                aws.client("sns").set_topic_attributes(
                    TopicArn=identity,
                    AttributeName=attribute,
                    AttributeValue=news.get(name) or "",
                )

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.client("sns").delete_topic(TopicArn=identity)


class TopicPolicy(AwsResource):
    kind = "aws:sns/topicPolicy:TopicPolicy"
    traits = Traits(replace=frozenset({"arn", "region"}), documents=frozenset({"policy"}))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        self._put(aws, inputs["arn"], inputs["policy"])
        return str(inputs["arn"])

    @staticmethod
    def _put(aws: Scope, arn: str, policy: str) -> None:
        aws.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=policy
        )

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        attributes = aws.client("sns").get_topic_attributes(TopicArn=identity)["Attributes"]
        return {"arn": identity, "owner": attributes["Owner"], "policy": attributes["Policy"]}

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._put(aws, identity, news["policy"])

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        """The topic's default policy comes back with the next change of it."""


class TopicSubscription(AwsResource):
    kind = "aws:sns/topicSubscription:TopicSubscription"
    traits = Traits(
        replace=frozenset({"endpoint", "protocol", "topic", "region"}),
        documents=frozenset({"filterPolicy", "deliveryPolicy"}),
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        answer = aws.client("sns").subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            ReturnSubscriptionArn=True,
        )
        return str(answer["SubscriptionArn"])

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        found = aws.client("sns").get_subscription_attributes(SubscriptionArn=identity)
        attributes = found["Attributes"]
        return {
            "arn": identity,
            "endpoint": attributes["Endpoint"],
            "ownerId": attributes["Owner"],
            "protocol": attributes["Protocol"],
            "topic": attributes["TopicArn"],
            # AWS waits for the recipient's consent; nobody reads mail for it here.
            "pendingConfirmation": attributes["Protocol"] in ("email", "email-json"),
        }

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.client("sns").unsubscribe(SubscriptionArn=identity)


RESOURCES = [LogGroup, Topic, TopicPolicy, TopicSubscription]
