"""Permission to prove by DNS that an MTA host's names are ours (ACME, DNS-01)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """Inputs of the permission; names and roles are by MTA host."""

    injection_host: str
    own_names: Mapping[str, str]
    zone_arn: str
    role_names: Mapping[str, pulumi.Input[str]]


class Certificate(pulumi.ComponentResource):
    """Lets certbot's Route 53 plugin answer challenges for two names, and change nothing else.

    Creates:
    - a policy of each MTA host's role: the two reads that certbot needs, and changes of the TXT
      records `_acme-challenge.<name>` alone, of the injection name and the host's own
    """

    def __init__(
        self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:Certificate", name, None, opts)
        self.policies = tuple(
            aws.iam.RolePolicy(
                f"{name}-dns-01-{host}",
                role=role,
                policy=json.dumps(
                    _dns_01(args.zone_arn, args.injection_host, args.own_names[host])
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for host, role in args.role_names.items()
        )
        self.register_outputs({})


def _dns_01(zone_arn: str, *names: str) -> dict[str, object]:
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
                        f"{prefix}NormalizedRecordNames": [
                            f"_acme-challenge.{name}" for name in names
                        ],
                        f"{prefix}RecordTypes": ["TXT"],
                    },
                    # ForAllValues alone also matches a request without these keys.
                    "Null": {f"{prefix}NormalizedRecordNames": "false"},
                },
            },
        ],
    }
