"""Alarms, their topic and the dashboard, as they are registered."""

import json
import re
from typing import Any

import pytest

from components.dashboard import dashboard_body
from policy.metrics import load, planned_alarms
from policy.settings import Settings
from tests.components import shapes
from tests.components.program import Program, Registration, run
from tests.examples import LARGE, settings_of

PREFIX = "mail-alarms-"


def alarms(program: Program) -> dict[str, Registration]:
    """Metric alarms by the part of their names that the table decides."""
    return {item.name.removeprefix(PREFIX): item for item in program.of_type("MetricAlarm")}


def with_settings(**changes: Any) -> Program:
    return run({**shapes.MINIMAL, **changes}, environment="minimal")


def test_each_row_of_the_plan_is_one_alarm_with_its_numbers() -> None:
    found = alarms(shapes.program("minimal"))
    planned = {one.key: one for one in planned_alarms(shapes.settings("minimal"))}
    assert found.keys() == planned.keys()
    for key, item in found.items():
        one, inputs = planned[key], item.inputs
        assert inputs["name"] == f"ping8-minimal-{key}"
        assert inputs["threshold"] == one.threshold
        assert inputs["evaluationPeriods"] == inputs["datapointsToAlarm"] == one.alarm.periods
        assert inputs["treatMissingData"] == one.alarm.missing
        assert inputs["alarmDescription"] == one.description
        assert inputs["tags"]["Severity"] == one.alarm.severity
        assert ("metricQueries" in inputs) == (one.expression is not None)


def test_an_alarm_reads_a_metric_as_its_host_sends_it() -> None:
    item = alarms(shapes.program("minimal"))["mta-1-disk-critical-spool"]
    space, inodes, outcome = item.inputs["metricQueries"]
    assert space["metric"]["metricName"] == "disk_free_percent"
    assert inodes["metric"]["metricName"] == "inodes_free_percent"
    for query in (space, inodes):
        assert query["metric"]["namespace"] == "PING8/Mail"
        assert query["metric"]["dimensions"] == {
            "Environment": "minimal",
            "Host": "mta-1",
            "Volume": "spool",
        }
        assert query["returnData"] is False
    assert (outcome["expression"], outcome["returnData"]) == ("MIN([space, inodes])", True)


def test_a_failed_system_is_recovered_and_a_hung_one_rebooted_by_ec2() -> None:
    program = shapes.program("minimal")
    found = alarms(program)
    for host in ("mta-1", "proxy-1"):
        for check, action in (("system", "recover"), ("instance", "reboot")):
            inputs = found[f"{host}-{check}-check"].inputs
            assert f"arn:aws:automate:eu-central-1:ec2:{action}" in inputs["alarmActions"]
            assert inputs["namespace"] == "AWS/EC2"
            instance = program.outputs["hosts"][host]["instance_id"]
            assert inputs["dimensions"] == {"InstanceId": instance}


def test_operators_get_every_alarm_and_its_end_by_e_mail() -> None:
    emails = ["night@example.com", "day@example.com"]
    operators = {**shapes.MINIMAL["operators"], "emails": emails}
    program = with_settings(operators=operators)
    (topic,) = program.of_type("aws:sns/topic:Topic")
    subscriptions = program.of_type("TopicSubscription")
    assert {item.inputs["endpoint"] for item in subscriptions} == set(emails)
    for item in (*program.of_type("MetricAlarm"), *program.of_type("CompositeAlarm")):
        for actions in ("alarmActions", "okActions"):
            assert topic.urn in item.property_dependencies[actions]


def test_the_mta_host_may_count_the_subscriptions_of_our_topic_alone() -> None:
    operators = {**shapes.MINIMAL["operators"], "emails": ["night@example.com"]}
    program = with_settings(operators=operators)
    (topic,) = program.of_type("aws:sns/topic:Topic")
    policy = program.one("RolePolicy", "mail-alarms-subscriptions-mta-1")
    assert policy.property_dependencies["policy"] == {topic.urn}
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    allowed = {"Effect": "Allow", "Action": "sns:GetTopicAttributes"}
    assert statement == {**allowed, "Resource": program.outputs["alarm_topic"]}
    given = {"topic": "arn:aws:sns:eu-central-1:123456789012:operators"}
    theirs = with_settings(operators=operators, alarms=given)
    assert not [item for item in theirs if item.name == "mail-alarms-subscriptions-mta-1"]
    assert "alarm_topic" not in theirs.outputs


def test_an_existing_topic_is_used_as_it_is() -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:operators"
    program = with_settings(alarms={"topic": topic})
    assert not program.of_type("aws:sns/topic:Topic")
    for item in program.of_type("MetricAlarm"):
        assert item.inputs["alarmActions"][0] == topic


@pytest.mark.parametrize("maintenance", [True, False])
def test_maintenance_mutes_every_alarm(maintenance: bool) -> None:
    program = with_settings(alarms={"maintenance": maintenance})
    found = [*program.of_type("MetricAlarm"), *program.of_type("CompositeAlarm")]
    assert {item.inputs["actionsEnabled"] for item in found} == {not maintenance}


def test_without_alarms_nothing_is_made() -> None:
    program = with_settings(alarms={"enabled": False})
    assert not [item for item in program if "cloudwatch" in item.type or "sns" in item.type]


def test_alarms_wait_for_every_first_push() -> None:
    program = shapes.program("many-sources")
    releases = {item.urn for item in program.of_type("command:remote:Command")}
    assert len(releases) == 3
    assert all(releases <= item.dependencies for item in program.of_type("MetricAlarm"))


def test_mail_is_not_flowing_when_any_of_its_parts_says_so() -> None:
    program = shapes.program("many-sources")
    (composite,) = program.of_type("CompositeAlarm")
    named = re.findall(r'ALARM\("([^"]+)"\)', composite.inputs["alarmRule"])
    assert composite.inputs["alarmRule"] == " OR ".join(f'ALARM("{name}")' for name in named)
    by_name = {item.inputs["name"]: item for item in program.of_type("MetricAlarm")}
    assert {by_name[name].urn for name in named} <= composite.dependencies
    assert {"mta-1-kumod-down", "mta-1-no-data", "proxy-1-proxy-down", "proxy-2-proxy-down"} <= {
        name.removeprefix("ping8-many-sources-") for name in named
    }


# Several nodes -----------------------------------------------------------------------


def test_the_balancer_has_alarms_by_its_own_metrics() -> None:
    program = shapes.program("two-nodes")
    found = alarms(program)
    for key, metric in (
        ("balancer-node-unhealthy", "UnHealthyHostCount"),
        ("balancer-no-healthy-node", "HealthyHostCount"),
    ):
        item = found[key]
        assert (item.inputs["namespace"], item.inputs["metricName"]) == ("AWS/NetworkELB", metric)
        group = program.one("TargetGroup", "mail-injection-hosts").urn
        balancer = program.one("LoadBalancer", "mail-injection-balancer").urn
        assert item.inputs["dimensions"] == {
            "LoadBalancer": "net/mail-injection-balancer/1",
            "TargetGroup": "targetgroup/mail-injection-hosts/1",
        }
        assert {group, balancer} <= item.property_dependencies["dimensions"]
    page = program.one("CompositeAlarm", "mail-alarms-mail-is-not-flowing")
    assert 'ALARM("ping8-two-nodes-balancer-no-healthy-node")' in page.inputs["alarmRule"]
    assert not [key for key in alarms(shapes.program("minimal")) if "balancer" in key]


def test_a_zone_is_lost_when_all_of_its_hosts_are_silent() -> None:
    program = run(
        {**shapes.MINIMAL, "elasticIpQuota": 20, "mta": {"nodes": 3}}, environment="fleet"
    )
    zones = [item for item in program.of_type("CompositeAlarm") if "zone-lost" in item.name]
    # The second zone has one host alone, whose own alarm says it.
    assert [item.name for item in zones] == ["mail-alarms-zone-lost-0"]
    hosts = ("mta-1", "mta-3", "proxy-1")
    assert zones[0].inputs["alarmRule"] == " AND ".join(
        f'ALARM("ping8-fleet-{host}-no-data")' for host in hosts
    )
    assert "mta-1, mta-3, proxy-1" in zones[0].inputs["alarmDescription"]
    one = shapes.program("many-sources").of_type("CompositeAlarm")
    assert [item.name for item in one] == ["mail-alarms-mail-is-not-flowing"]


# The picture ---------------------------------------------------------------------


def widgets(settings: Settings) -> dict[str, dict[str, Any]]:
    body = json.loads(dashboard_body(settings, ["arn:one", "arn:two"]))
    return {widget["properties"]["title"]: widget for widget in body["widgets"]}


def test_the_picture_shows_every_metric_of_the_table() -> None:
    drawn = json.dumps(list(widgets(settings_of(LARGE)).values()))
    missing = {metric.name for metric in load().metrics if metric.name not in drawn}
    assert missing == {"segments_unshipped", "shared_limit_failures"}


def test_every_limit_on_what_is_drawn_is_a_line_in_it() -> None:
    found = widgets(settings_of(LARGE))
    lines = {
        (line["label"], line["value"])
        for widget in found.values()
        for line in widget["properties"].get("annotations", {}).get("horizontal", [])
    }
    # What is no line: silence, EC2's own checks, and what is true or not.
    without = {"no-data", "system-check", "instance-check", "no-delivery", "log-shipping"}
    expected = {
        (one.alarm.name, one.threshold)
        for one in planned_alarms(settings_of(LARGE))
        if one.alarm.name not in without
    }
    assert lines == expected


def nodes(count: int) -> Settings:
    return settings_of(LARGE, mta={"nodes": count})


@pytest.mark.parametrize("count", [2, 5])
def test_every_node_is_a_line_and_their_sum_is_another(count: int) -> None:
    found = widgets(nodes(count))
    lines = found["Waiting"]["properties"]["metrics"]
    scheduled = [line for line in lines if "messages_scheduled" in line]
    assert [line[-1]["label"] for line in scheduled] == [
        f"messages_scheduled mta-{number + 1}" for number in range(count)
    ]
    ids = [line[-1]["id"] for line in scheduled]
    (total, _) = [line[0] for line in lines if line[0] != load().namespace]
    expected = f"SUM([{', '.join(f'FILL({each}, 0)' for each in ids)}])"
    assert (total["expression"], total["label"]) == (expected, "messages_scheduled sum")
    one = widgets(settings_of(LARGE))["Waiting"]["properties"]["metrics"]
    assert [line[0] for line in one] == [load().namespace] * 2


def test_what_waits_on_a_silent_node_stays_in_the_picture() -> None:
    found = widgets(nodes(2))
    lines = found["Waiting, as each node last reported"]["properties"]["metrics"]
    hidden = [line[-1]["id"] for line in lines if line[0] == load().namespace]
    assert not any(line[-1]["visible"] for line in lines if line[0] == load().namespace)
    drawn = {line[0]["label"]: line[0]["expression"] for line in lines if len(line) == 1}
    assert drawn == {
        "mta-1": f"FILL({hidden[0]}, REPEAT)",
        "mta-2": f"FILL({hidden[1]}, REPEAT)",
        "sum": f"SUM([{hidden[0]}last, {hidden[1]}last])",
    }
    assert "Age of the oldest message, as each node last reported" in found
    assert not {title for title in widgets(settings_of(LARGE)) if "last reported" in title}


@pytest.mark.parametrize("count", [20, 100])
def test_a_picture_of_many_nodes_keeps_to_what_a_dashboard_takes(count: int) -> None:
    body = json.loads(dashboard_body(nodes(count), ["arn:one"]))
    drawn = {
        widget["properties"]["title"]: len(widget["properties"]["metrics"])
        for widget in body["widgets"]
        if widget["type"] == "metric"
    }
    assert max(drawn.values()) <= 500
    assert sum(drawn.values()) <= 2500
    assert "Flow: from injection to delivery" in drawn
    notes = [one["properties"]["markdown"] for one in body["widgets"] if one["type"] == "text"]
    assert bool(notes) == (count == 100)
    assert all("Releases" in note and "Releases" not in drawn for note in notes)


def test_providers_and_sources_are_drawn_over_all_nodes() -> None:
    lines = widgets(nodes(2))["Delivered by provider"]["properties"]["metrics"]
    assert [line[0]["label"] for line in lines] == [*load().providers, "other"]
    assert all("Host=" not in line[0]["expression"] for line in lines)


def test_a_share_is_drawn_by_the_expression_that_alarms() -> None:
    title = "Share of bounces for other reasons than reputation"
    metrics = widgets(settings_of(LARGE))[title]["properties"]["metrics"]
    expressions = [entry[0] for entry in metrics if len(entry) == 1]
    planned = [
        one for one in planned_alarms(settings_of(LARGE)) if one.alarm.name == "bounce-share"
    ]
    assert len(expressions) == len(planned)
    for number, (drawn, one) in enumerate(zip(expressions, planned, strict=True)):
        alike = drawn["expression"]
        for name in one.alarm.read:
            alike = alike.replace(f"{name}{number}", name)
        assert alike == one.expression


@pytest.mark.parametrize("count", [1, 2])
def test_no_identifier_of_a_widget_is_used_twice(count: int) -> None:
    for title, widget in widgets(nodes(count)).items():
        options = [entry[-1] for entry in widget["properties"].get("metrics", [])]
        ids = [each["id"] for each in options if "id" in each]
        assert len(ids) == len(set(ids)), title


def test_widgets_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets(settings_of(LARGE)).values():
        assert widget["x"] + widget["width"] <= 24
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        taken |= cells


def test_the_alarms_states_come_first() -> None:
    first = next(iter(widgets(settings_of(LARGE)).values()))
    assert (first["type"], first["properties"]["alarms"]) == ("alarm", ["arn:one", "arn:two"])


# The archive of logs ---------------------------------------------------------------

SHIPPING = {"logs": {"ship": True, "bucket": "example-mail-logs", "shipKeep": "90d"}}


def test_shipped_logs_go_to_a_closed_encrypted_bucket_and_expire() -> None:
    program = with_settings(**SHIPPING)
    (bucket,) = program.of_type("Bucket")
    assert bucket.inputs["bucket"] == "example-mail-logs"
    assert bucket.protect
    assert bucket.retain_on_delete
    assert bucket.inputs["forceDestroy"] is False
    (closed,) = program.of_type("BucketPublicAccessBlock")
    assert {value for key, value in closed.inputs.items() if key != "bucket"} == {True}
    (life,) = program.of_type("BucketLifecycleConfiguration")
    assert life.inputs["rules"][0]["expiration"] == {"days": 90}
    assert life.inputs["rules"][0]["noncurrentVersionExpiration"] == {"noncurrentDays": 90}
    (versions,) = program.of_type("BucketVersioning")
    assert versions.inputs["versioningConfiguration"] == {"status": "Enabled"}
    (right,) = [role for role in program.of_type("RolePolicy") if role.name.endswith("-put-mta-1")]
    assert "Delete" not in right.inputs["policy"]
    (policy,) = program.of_type("BucketPolicy")
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert program.of_type("BucketServerSideEncryptionConfiguration")


def test_without_protection_a_destroy_takes_the_segments_along() -> None:
    (bucket,) = with_settings(**SHIPPING, protect=False).of_type("Bucket")
    assert bucket.inputs["forceDestroy"] is True
    assert not (bucket.protect or bucket.retain_on_delete)


def test_the_mta_host_may_put_its_segments_and_nothing_else() -> None:
    program = with_settings(**SHIPPING)
    policy = program.one("RolePolicy", "mail-logs-put-mta-1")
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::example-mail-logs/minimal/mta-1/*",
    }


def test_nothing_of_s3_is_made_unless_logs_are_shipped() -> None:
    assert not [item for item in shapes.program("minimal") if ":s3/" in item.type]
