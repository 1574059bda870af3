"""Verb `cloud`: what AWS says, by the host's role, of its image, the alarms' topic and targets.

`cloud --region REGION [--image ID] [--topic ARN] [--targets ARN]`; the image is the instance's own
unless named, targets are those of a balancer.
"""

import argparse
import json
import re
import sys
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from hostagent.metrics.cloudwatch import Credentials, SendError, credentials, image, post

_SECONDS = 15.0
"""A person waits for the answer; the timer of metrics has less patience."""
_VERSIONS = {"ec2": "2016-11-15", "elasticloadbalancing": "2015-12-01", "sns": "2010-03-31"}
_GONE = "InvalidAMIID."
"""`NotFound`, `Unavailable` (EC2 API Reference, Error codes)."""

Call = Callable[[str, Mapping[str, str]], tuple[int, str]]


def run(arguments: list[str]) -> int:
    """Prints the answers as JSON; one that could not be had says why in `error`."""
    parser = argparse.ArgumentParser(prog="ping8-agent cloud")
    parser.add_argument("--region", required=True)
    parser.add_argument("--image")
    parser.add_argument("--topic")
    parser.add_argument("--targets")
    options = parser.parse_args(arguments)
    try:
        keys = credentials(limit=_SECONDS)

        def call(service: str, fields: Mapping[str, str]) -> tuple[int, str]:
            return ask(service, options.region, fields, keys)

        found: dict[str, Any] = {"image": _image(options.image or image(limit=_SECONDS), call)}
        if options.topic:
            found["topic"] = _topic(options.topic, call)
        if options.targets:
            found["targets"] = _targets(options.targets, call)
    except SendError as error:
        print(f"ping8: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found), flush=True)
    return 0


def _image(name: str, call: Call) -> dict[str, Any]:
    status, text = call("ec2", {"Action": "DescribeImages", "ImageId.1": name})
    state = re.search(r"<imageState>([a-z]+)</imageState>", text)
    if status == 200:
        return {"id": name, "state": state[1] if state else "gone"}
    code = _code(text)
    return {"id": name, **({"state": "gone"} if code.startswith(_GONE) else {"error": code})}


def _topic(topic: str, call: Call) -> dict[str, Any]:
    status, text = call("sns", {"Action": "GetTopicAttributes", "TopicArn": topic})
    counts = dict(re.findall(r"<key>Subscriptions(\w+)</key>\s*<value>(\d+)</value>", text))
    if status != 200 or not {"Pending", "Confirmed"} <= counts.keys():
        return {"error": _code(text)}
    return {"pending": int(counts["Pending"]), "confirmed": int(counts["Confirmed"])}


def _targets(group: str, call: Call) -> dict[str, str]:
    """The state of each target by its address."""
    fields = {"Action": "DescribeTargetHealth", "TargetGroupArn": group}
    status, text = call("elasticloadbalancing", fields)
    if status != 200:
        return {"error": _code(text)}
    return dict(_target(each) for each in re.findall(r"<member>(.*?)</member>", text, re.DOTALL))


def _target(text: str) -> tuple[str, str]:
    found = (re.search(rf"<{name}>([\w.-]+)</{name}>", text) for name in ("Id", "State"))
    address, state = (each[1] if each else "" for each in found)
    return address, state


def _code(text: str) -> str:
    found = re.search(r"<Code>([\w.]+)</Code>", text)
    return found[1] if found else " ".join(text.split())[:200]


def ask(
    service: str, region: str, fields: Mapping[str, str], keys: Credentials, *, port: int = 443
) -> tuple[int, str]:
    """Status and XML of one action of AWS's query API."""
    body = urllib.parse.urlencode({**fields, "Version": _VERSIONS[service]}).encode("ascii")
    return post(service, region, body, keys, limit=_SECONDS, port=port)
