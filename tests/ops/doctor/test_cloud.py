"""Images and subscriptions to alarms, as hosts ask AWS for them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ops.doctor.answers import Answers
from ops.doctor.checks import cloud
from ops.doctor.finding import Finding, Status
from ops.stack import HostAccess
from policy.errors import UserError
from tests.examples import SMALL
from tests.ops.doctor.case import case_of, found
from tests.ops.doctor.deployment import deployment_of

DEPLOYED = deployment_of(
    SMALL, operators={"cidrs": ["198.51.100.0/28"], "emails": ["a@example.com", "b@example.com"]}
)
TOPIC = "ping8-small-alarms"


def image(answer: dict[str, Any]) -> Finding:
    return found(
        case_of(DEPLOYED, answers={"cloud": {"image": answer}}, only=("host.image",)), "mta-1"
    )["host.image"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"state": "available"}, Status.PASS),
        ({"state": "gone"}, Status.WARN),
        ({"state": "deregistered"}, Status.WARN),
        ({"error": "UnauthorizedOperation"}, Status.UNKNOWN),
    ],
)
def test_an_image_must_exist(answer: dict[str, Any], status: Status) -> None:
    seen = image({"id": "ami-1", **answer})
    assert seen.status is status
    assert "ami-1" in seen.saw
    assert ("set mta.ami to an image that exists" in seen.fix) == (status is Status.WARN)


def test_a_pinned_image_is_the_one_that_is_asked_for() -> None:
    asked: list[Sequence[str]] = []

    def agent(_host: HostAccess, verb: Sequence[str]) -> Any:
        asked.append(verb)
        return {"image": {"id": "ami-1", "state": "available"}}

    for pinned in ({}, {"ami": "ami-0123456789abcdef0"}):
        case = replace(case_of(deployment_of(SMALL, mta=pinned)), ask=Answers(agent))
        cloud.image(case.deployment.mta, case)
    region = ("cloud", "--region", "eu-central-1")
    assert asked == [region, (*region, "--image", "ami-0123456789abcdef0")]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"confirmed": 2, "pending": 0}, Status.PASS),
        ({"confirmed": 1, "pending": 1}, Status.WARN),
        ({"confirmed": 1, "pending": 0}, Status.WARN),  # AWS deleted it after two days
        ({"confirmed": 3, "pending": 1}, Status.WARN),
        ({"confirmed": 0, "pending": 2}, Status.FAIL),
        ({"error": "AuthorizationError"}, Status.UNKNOWN),
    ],
)
def test_every_operator_must_have_confirmed(answer: dict[str, Any], status: Status) -> None:
    case = case_of(DEPLOYED, answers={"cloud": {"topic": answer}}, only=("alarms",))
    seen = found(case, TOPIC)["alarms.subscriptions"]
    assert seen.status is status
    assert ("Subscription Confirmation" in seen.fix) == (status in (Status.WARN, Status.FAIL))


def test_a_topic_of_somebody_else_is_their_matter() -> None:
    theirs = replace(DEPLOYED, alarm_topic=None)
    assert found(case_of(theirs, only=("alarms",)), TOPIC) == {}


def test_another_node_tells_what_one_that_is_down_cannot() -> None:
    two = replace(DEPLOYED, hosts={**DEPLOYED.hosts, "mta-2": replace(DEPLOYED.mta, name="mta-2")})

    def agent(host: HostAccess, _verb: Sequence[str]) -> Any:
        if host.name == "mta-1":
            raise UserError("mta-1: no route")
        return {"topic": {"confirmed": 2, "pending": 0}}

    case = replace(case_of(two, only=("alarms",)), ask=Answers(agent))
    assert found(case, TOPIC)["alarms.subscriptions"].status is Status.PASS
