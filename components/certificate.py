"""Permission to prove by DNS that the injection host is ours (ACME, DNS-01)."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """Inputs of the permission."""

    host_name: str
    zone_arn: pulumi.Input[str]
    role_name: pulumi.Input[str]


class Certificate(pulumi.ComponentResource):
    """Lets certbot's Route 53 plugin answer a challenge for one name, and change nothing else.

    Creates:
    - a policy of the MTA host's role: the two reads that certbot needs, and changes of the TXT
      record `_acme-challenge.<host>` alone
    """

    def __init__(
        self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:Certificate", name, None, opts)
        policy = aws.iam.RolePolicy(
            f"{name}-dns-01",
            role=args.role_name,
            policy=pulumi.Output.from_input(args.zone_arn).apply(
                lambda arn: json.dumps(_dns_01(args.host_name, arn))
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.policy = policy
        self.register_outputs({})


def _dns_01(host_name: str, zone_arn: str) -> dict[str, object]:
    prefix = "route53:ChangeResourceRecordSets"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["route53:ListHostedZones", "route53:GetChange"],
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Action": "route53:ChangeResourceRecordSets",
                "Resource": zone_arn,
                "Condition": {
                    "ForAllValues:StringEquals": {
                        f"{prefix}NormalizedRecordNames": [f"_acme-challenge.{host_name}"],
                        f"{prefix}RecordTypes": ["TXT"],
                    },
                    # ForAllValues alone also matches a request without these keys.
                    "Null": {f"{prefix}NormalizedRecordNames": "false"},
                },
            },
        ],
    }
