"""A host's permissions in AWS."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.tagging import named
from policy.metrics import load


@dataclass(frozen=True, kw_only=True)
class InstanceProfileArgs:
    """Inputs of the profile."""

    tags: Mapping[str, str]
    balanced: bool
    """Whether a balancer chooses this host."""


class InstanceProfile(pulumi.ComponentResource):
    """The host's own role, which allows only what its units do.

    Creates:
    - an IAM role that EC2 may assume, and its instance profile
    - a policy: send metrics of our namespace, see whether an image still exists and, behind a
      balancer, whether that chooses the host
    """

    name: pulumi.Output[str]
    role_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: InstanceProfileArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:InstanceProfile", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{name}-role",
            description=f"What {name} may ask of AWS",
            assume_role_policy=json.dumps(_ASSUME),
            tags=named(args.tags, name),
            opts=child,
        )
        metrics = aws.iam.RolePolicy(
            f"{name}-metrics",
            role=role.name,
            policy=json.dumps(_policy(balanced=args.balanced)),
            opts=child,
        )
        profile = aws.iam.InstanceProfile(
            f"{name}-profile", role=role.name, tags=named(args.tags, name), opts=child
        )
        self.role_name = role.name
        self.name = pulumi.Output.all(profile.name, metrics.id).apply(lambda values: str(values[0]))
        self.register_outputs({"name": self.name, "role_name": self.role_name})


_ASSUME = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}

_METRICS = {
    "Effect": "Allow",
    "Action": "cloudwatch:PutMetricData",
    "Resource": "*",
    "Condition": {"StringEquals": {"cloudwatch:namespace": load().namespace}},
}


def _policy(*, balanced: bool) -> dict[str, object]:
    # AWS knows no permission for one image or one target group (Service Authorization Reference).
    looks = ["ec2:DescribeImages"]
    if balanced:
        looks.append("elasticloadbalancing:DescribeTargetHealth")
    see = [{"Effect": "Allow", "Action": action, "Resource": "*"} for action in looks]
    return {"Version": "2012-10-17", "Statement": [_METRICS, *see]}
