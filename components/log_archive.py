"""The bucket for the MTA hosts' finished log segments, if the settings ask for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.alarms import partition
from components.tagging import named
from policy.settings import Settings
from policy.settings.base import seconds

_DAY = 86400
_INFREQUENT_AFTER = 30
"""Days: AWS moves no object to infrequent access earlier."""


@dataclass(frozen=True, kw_only=True)
class LogArchiveArgs:
    """Inputs of the archive. `role_names` are by MTA host."""

    settings: Settings
    role_names: Mapping[str, pulumi.Input[str]]
    tags: Mapping[str, str]


class LogArchive(pulumi.ComponentResource):
    """A private bucket for log segments. Each MTA host may only put objects under its own name; it
    can neither read, change nor delete existing ones.

    Creates:
    - an S3 bucket: encrypted, closed to the public, reached by TLS alone, with
      versions and a life cycle
    - the right of each MTA host's role to put its segments there
    """

    def __init__(
        self, name: str, args: LogArchiveArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:LogArchive", name, None, opts)
        settings = args.settings
        child = pulumi.ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=settings.logs.bucket,
            # Without protection, a destroy deletes the segments too: only empty buckets can go.
            force_destroy=not settings.protect,
            tags=named(args.tags, f"{name}-bucket"),
            opts=pulumi.ResourceOptions(
                parent=self, protect=settings.protect, retain_on_delete=settings.protect
            ),
        )
        closed = aws.s3.BucketPublicAccessBlock(
            f"{name}-closed",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.bucket,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child,
        )
        # An intruder on the host can overwrite an object, but not remove its old version.
        versions = aws.s3.BucketVersioning(
            f"{name}-versions",
            bucket=bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=child,
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-life-cycle",
            bucket=bucket.bucket,
            rules=[_life_cycle(-(-seconds(settings.logs.ship_keep) // _DAY))],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versions]),
        )
        arn = f"arn:{partition(settings.region)}:s3:::{settings.logs.bucket}"
        aws.s3.BucketPolicy(
            f"{name}-tls",
            bucket=bucket.bucket,
            policy=json.dumps(_only_tls(arn)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
        for host, role in args.role_names.items():
            aws.iam.RolePolicy(
                f"{name}-put-{host}",
                role=role,
                policy=json.dumps(_may_put(f"{arn}/{settings.environment}/{host}/*")),
                opts=child,
            )
        self.register_outputs({})


def _life_cycle(days: int) -> aws.s3.BucketLifecycleConfigurationRuleArgsDict:
    rule: aws.s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": "age",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "expiration": {"days": days},
        "noncurrent_version_expiration": {"noncurrent_days": days},
        "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
    }
    # For shorter times, the minimum of another thirty days would cost more than it saves.
    if days >= 2 * _INFREQUENT_AFTER:
        rule["transitions"] = [{"days": _INFREQUENT_AFTER, "storage_class": "STANDARD_IA"}]
    return rule


def _only_tls(arn: str) -> dict[str, object]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def _may_put(objects: str) -> dict[str, object]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": objects}],
    }
