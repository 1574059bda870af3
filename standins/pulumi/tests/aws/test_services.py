"""Roles, secrets, alarms, topics and buckets."""

import json

import boto3
import grpc
import pytest

from standins.pulumi.aws.account import api_errors
from standins.pulumi.errors import ProviderError
from standins.pulumi.properties import Properties, Secret
from standins.pulumi.service import Service
from standins.pulumi.tests.engine import Engine, Made, Refused, error_of
from standins.pulumi.tests.machine import RecordingHosts

ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
PROFILE = "aws:iam/instanceProfile:InstanceProfile"
SECRET = "aws:secretsmanager/secret:Secret"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
TOPIC = "aws:sns/topic:Topic"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
BUCKET = "aws:s3/bucket:Bucket"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
LIFE_CYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"

VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"

ALLOW = {"Effect": "Allow", "Action": "route53:GetChange", "Resource": "*"}
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW]})
METRIC = {
    "comparisonOperator": "GreaterThanThreshold",
    "dimensions": {"host": "mta"},
    "evaluationPeriods": 3,
    "metricName": "queue",
    "namespace": "PING8/Mail",
    "period": 60,
    "statistic": "Maximum",
    "threshold": 10,
    "treatMissingData": "breaching",
}
QUERIES = [
    {
        "id": "m1",
        "returnData": False,
        "metric": {"metricName": "a", "namespace": "n", "period": 60, "stat": "Sum"},
    },
    {"id": "outcome", "expression": "m1 / 2", "label": "half", "returnData": True},
]
EXPRESSION = {
    "comparisonOperator": "GreaterThanThreshold",
    "evaluationPeriods": 1,
    "threshold": 1,
    "metricQueries": QUERIES,
}
RULE = {"id": "age", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": 30}}


def _role(aws: Engine) -> Made:
    return aws.create(ROLE, "role", {"assumeRolePolicy": DOCUMENT, "tags": {"a": "b"}})


def _everything(aws: Engine) -> list[Made]:
    role = _role(aws).identity
    secret = aws.create(SECRET, "token", {"description": "a token", "tags": {"a": "b"}})
    topic = aws.create(TOPIC, "topic", {"displayName": "alarms", "tags": {"a": "b"}})
    bucket = aws.create(BUCKET, "bucket", {"bucket": "mail-logs", "tags": {"a": "b"}}).identity
    encrypted = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
    return [
        aws.create(POLICY, "policy", {"role": role, "policy": DOCUMENT}),
        aws.create(PROFILE, "profile", {"role": role, "tags": {"a": "b"}}),
        secret,
        aws.create(VERSION, "token", {"secretId": secret.identity, "secretString": Secret("x")}),
        topic,
        aws.create(
            SUBSCRIPTION,
            "mail",
            {"topic": topic.identity, "protocol": "email", "endpoint": "ops@example.com"},
        ),
        aws.create(
            ALARM, "plain", {**METRIC, "alarmActions": [topic.identity], "tags": {"a": "b"}}
        ),
        aws.create(ALARM, "expression", EXPRESSION),
        aws.create(
            DASHBOARD, "board", {"dashboardName": "mail", "dashboardBody": '{"widgets": []}'}
        ),
        aws.create(
            VERSIONING,
            "versions",
            {"bucket": bucket, "versioningConfiguration": {"status": "Enabled"}},
        ),
        aws.create(BLOCK, "closed", {"bucket": bucket, "blockPublicAcls": True}),
        aws.create(ENCRYPTION, "encrypted", {"bucket": bucket, "rules": [encrypted]}),
        aws.create(LIFE_CYCLE, "age", {"bucket": bucket, "rules": [RULE]}),
        aws.create(BUCKET_POLICY, "tls", {"bucket": bucket, "policy": DOCUMENT}),
    ]


def test_nothing_drifts_by_itself_and_everything_can_be_deleted(aws: Engine) -> None:
    made = _everything(aws)
    for each in made:
        again = aws.read(each)
        assert again is not None, each.kind
        assert again.inputs == each.inputs, each.kind
        assert list(aws.diff(each, each.written()).diffs) == [], each.kind
    for each in reversed(made):
        aws.delete(each)
        if each.kind not in (VERSION, VERSIONING):
            assert aws.read(each) is None, each.kind


def test_operators_of_the_sandbox_confirm_each_subscription(aws: Engine, service: Service) -> None:
    topic = aws.create(TOPIC, "alarms", {}).identity
    for name in ("day", "night"):
        inputs = {"topic": topic, "protocol": "email", "endpoint": f"{name}@example.com"}
        aws.create(SUBSCRIPTION, name, inputs)
    sns = service.account.client("sns", topic.split(":")[3])
    found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (found["SubscriptionsConfirmed"], found["SubscriptionsPending"]) == ("2", "0")


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        (ROLE, {"assumeRolePolicy": DOCUMENT}),
        (SECRET, {}),
        (TOPIC, {}),
        (ALARM, METRIC),
        (BUCKET, {"bucket": "mail-logs"}),
    ],
)
def test_tags_change_in_place(aws: Engine, kind: str, inputs: Properties) -> None:
    made = aws.create(kind, "made", {**inputs, "tags": {"a": "1", "b": "2"}})
    changed = aws.update(made, made.written(tags={"a": "3"}))
    assert changed.state["tagsAll"] == {"a": "3"}
    again = aws.read(changed)
    assert again is not None
    assert again.state["tagsAll"] == {"a": "3"}


def test_a_policy_that_says_the_same_in_other_words_is_no_change(aws: Engine) -> None:
    made = _role(aws)
    spaced = json.dumps(json.loads(DOCUMENT), indent=4)
    assert list(aws.diff(made, made.written(assumeRolePolicy=spaced)).diffs) == []


def test_a_policy_that_is_not_json_is_refused(aws: Engine) -> None:
    with pytest.raises(Refused, match="policy: contains an invalid JSON policy"):
        aws.check(POLICY, "policy", {"role": "role", "policy": "{"})


def test_an_error_of_the_api_never_shows_a_value() -> None:
    with pytest.raises(ProviderError) as caught, api_errors():
        boto3.client("secretsmanager", region_name="eu-west-1").put_secret_value(
            SecretId="s", SecretString=["hidden"]
        )
    assert "SecretString" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_role_with_policies_is_not_deleted(aws: Engine) -> None:
    role = _role(aws)
    aws.create(POLICY, "policy", {"role": role.identity, "policy": DOCUMENT})
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(role)
    assert "DeleteConflict" in error_of(caught)


def test_another_secret_value_is_another_version(aws: Engine) -> None:
    secret = aws.create(SECRET, "token", {}).identity
    made = aws.create(VERSION, "token", {"secretId": secret, "secretString": Secret("one")})
    changed = aws.diff(made, {"secretId": secret, "secretString": Secret("two")})
    assert list(changed.replaces) == ["secretString"]


def test_the_order_of_actions_and_of_members_means_nothing(aws: Engine) -> None:
    made = aws.create(ALARM, "expression", {**EXPRESSION, "okActions": ["arn:a", "arn:b"]})
    turned = [dict(reversed(query.items())) for query in reversed(QUERIES)]
    news = {**EXPRESSION, "okActions": ["arn:b", "arn:a"], "metricQueries": turned}
    assert list(aws.diff(made, news).diffs) == []


def test_a_changed_threshold_shows_after_a_refresh(aws: Engine) -> None:
    made = aws.create(ALARM, "plain", METRIC)
    aws.update(made, {**METRIC, "threshold": 99})
    drifted = aws.read(made)
    assert drifted is not None
    assert drifted.inputs["threshold"] == 99


def test_a_composite_alarm_needs_its_alarms_and_keeps_them(aws: Engine) -> None:
    rule = {"alarmName": "all", "alarmRule": 'ALARM("plain")'}
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(COMPOSITE, "all", rule)
    assert "alarms [plain] in the alarm rule do not exist" in error_of(caught)
    plain = aws.create(ALARM, "plain", {**METRIC, "name": "plain"})
    composite = aws.create(COMPOSITE, "all", rule)
    assert list(aws.diff(composite, composite.written()).diffs) == []
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(plain)
    assert "composite alarm(s) depending on it: all" in error_of(caught)
    aws.delete(composite)
    aws.delete(plain)


def test_an_alarm_that_watches_nothing_is_refused(aws: Engine) -> None:
    alarm = {"comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1}
    with pytest.raises(Refused, match="metricName: one of metricName and metricQueries"):
        aws.check(ALARM, "alarm", alarm)


def test_a_buckets_old_inline_settings_are_refused(aws: Engine) -> None:
    with pytest.raises(Refused, match="versioning: not known to the sandbox"):
        aws.check(BUCKET, "bucket", {"versioning": {"enabled": True}})


def _limits(aws: Engine) -> list[Made]:
    vpc = aws.create("aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.8.0.0/16"}).identity
    subnets = [
        aws.create(
            "aws:ec2/subnet:Subnet",
            f"subnet-{zone}",
            {
                "vpcId": vpc,
                "cidrBlock": f"10.8.{n}.0/24",
                "availabilityZone": f"eu-central-1{zone}",
            },
        ).identity
        for n, zone in enumerate("ab")
    ]
    group = {"name": "limits", "description": "two zones", "subnetIds": subnets}
    user = {"userId": "limits", "userName": "default", "engine": "valkey"}
    secret = {"accessString": "on ~* -@all +ping", "passwords": [Secret("p" * 16)]}
    users = {"userGroupId": "limits", "engine": "valkey", "userIds": ["limits"]}
    servers = {
        "replicationGroupId": "limits",
        "description": "shared limits",
        "engine": "valkey",
        "nodeType": "cache.t4g.small",
        "numCacheClusters": 2,
        "automaticFailoverEnabled": True,
        "multiAzEnabled": True,
        "subnetGroupName": "limits",
        "transitEncryptionEnabled": True,
        "userGroupIds": ["limits"],
    }
    kinds = (
        ("subnetGroup:SubnetGroup", group),
        ("user:User", user | secret),
        ("userGroup:UserGroup", users),
        ("replicationGroup:ReplicationGroup", servers),
    )
    return [
        aws.create(f"aws:elasticache/{kind}", "limits", {**inputs, "tags": {"a": "b"}})
        for kind, inputs in kinds
    ]


def test_a_server_of_limits_has_a_name_for_its_primary_and_goes_with_its_users(
    aws: Engine, hosts: RecordingHosts
) -> None:
    made = _limits(aws)
    assert hosts.limits is not None
    assert hosts.limits.name == made[-1].state["primaryEndpointAddress"]
    assert hosts.limits.users == (f"default reset on ~* -@all +ping >{'p' * 16}",)
    assert str(made[-1].state["primaryEndpointAddress"]).startswith("master.limits.")
    assert all(aws.read(item) for item in made)
    for item in reversed(made):
        aws.delete(item)
    assert not any(aws.read(item) for item in made[1:])
    assert hosts.limits is None


def test_a_server_of_limits_that_was_deleted_can_be_made_again(aws: Engine) -> None:
    for _ in range(2):
        for item in reversed(_limits(aws)):
            aws.delete(item)


def test_a_user_group_needs_a_user_named_default(aws: Engine) -> None:
    other = {"userId": "other", "userName": "kumod", "engine": "valkey"}
    secret = {"accessString": "on ~* -@all +ping", "passwords": [Secret("p" * 16)]}
    aws.create("aws:elasticache/user:User", "other", other | secret)
    group = {"userGroupId": "group", "engine": "valkey", "userIds": ["other"]}
    with pytest.raises(grpc.RpcError) as caught:
        aws.create("aws:elasticache/userGroup:UserGroup", "group", group)
    assert "DefaultUserRequired" in error_of(caught)
