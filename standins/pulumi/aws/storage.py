# ruff: noqa: ARG002 - every type's operations take the same arguments
"""S3 buckets and what is set on them, each a resource of its own."""

import json
from collections.abc import Mapping

from botocore.exceptions import ClientError

from standins.pulumi.aws.account import Client
from standins.pulumi.aws.resource import AwsResource, Scope, given, tag_list, tag_map
from standins.pulumi.errors import InvalidInputs
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Traits
from standins.pulumi.schema import Refusal

_OLD_WAYS = (
    "accelerationStatus",
    "acl",
    "corsRules",
    "grants",
    "lifecycleRules",
    "loggings",
    "policy",
    "replicationConfiguration",
    "serverSideEncryptionConfiguration",
    "versioning",
    "website",
)


class Bucket(AwsResource):
    kind = "aws:s3/bucket:Bucket"
    traits = Traits(
        replace=frozenset({"bucket", "bucketPrefix", "objectLockEnabled", "region"}),
        autoname="bucket",
    )

    def validate(self, inputs: Properties) -> None:
        for name in _OLD_WAYS:
            if inputs.get(name):
                reason = "the sandbox knows it as a resource of its own only"
                raise InvalidInputs(Refusal(path=name, reason=reason))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        name = str(inputs["bucket"])
        # us-east-1 is the one region that may not be named.
        where: Properties = (
            {}
            if aws.region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        )
        aws.client("s3").create_bucket(Bucket=name, **where)
        if inputs.get("tagsAll"):
            self._put_tags(aws, name, inputs["tagsAll"])
        return name

    @staticmethod
    def _put_tags(aws: Scope, name: str, tags: dict[str, str]) -> None:
        aws.client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(tags)})

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        aws.client("s3").head_bucket(Bucket=identity)
        regional = f"{identity}.s3.{aws.region}.amazonaws.com"
        return {
            "arn": f"arn:aws:s3:::{identity}",
            "bucket": identity,
            "bucketDomainName": f"{identity}.s3.amazonaws.com",
            "bucketRegion": aws.region,
            "bucketRegionalDomainName": regional,
            "tagsAll": _tags(aws, identity),
        }

    def _retag(
        self, aws: Scope, identity: str, state: Properties, put: dict[str, str], drop: list[str]
    ) -> None:
        kept = {key: value for key, value in _tags(aws, identity).items() if key not in drop}
        self._put_tags(aws, identity, {**kept, **put})

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        if state.get("forceDestroy"):
            for item in aws.client("s3").list_objects_v2(Bucket=identity).get("Contents", []):
                aws.client("s3").delete_object(Bucket=identity, Key=item["Key"])
        aws.client("s3").delete_bucket(Bucket=identity)


def _tags(aws: Scope, bucket: str) -> dict[str, str]:
    try:
        return tag_map(aws.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return {}
        raise


class _Part(AwsResource):
    """Something that is set on a bucket; its id is the bucket's name."""

    traits = Traits(replace=frozenset({"bucket", "expectedBucketOwner", "region"}))

    def _put(self, s3: Client, bucket: str, inputs: Properties) -> None:
        raise NotImplementedError

    def _create(self, aws: Scope, inputs: Properties) -> str:
        self._put(aws.client("s3"), inputs["bucket"], inputs)
        return str(inputs["bucket"])

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._put(aws.client("s3"), identity, news)


class BucketPublicAccessBlock(_Part):
    kind = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    _SWITCHES: Mapping[str, str] = {
        "blockPublicAcls": "BlockPublicAcls",
        "blockPublicPolicy": "BlockPublicPolicy",
        "ignorePublicAcls": "IgnorePublicAcls",
        "restrictPublicBuckets": "RestrictPublicBuckets",
    }

    def _put(self, s3: Client, bucket: str, inputs: Properties) -> None:
        switches = {api: bool(inputs.get(name)) for name, api in self._SWITCHES.items()}
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=switches)

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        answer = aws.client("s3").get_public_access_block(Bucket=identity)
        found = answer["PublicAccessBlockConfiguration"]
        switches = {name: found[api] for name, api in self._SWITCHES.items()}
        return {"bucket": identity, **switches}

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.client("s3").delete_public_access_block(Bucket=identity)


class BucketServerSideEncryptionConfiguration(_Part):
    kind = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"

    def _put(self, s3: Client, bucket: str, inputs: Properties) -> None:
        names = {"sseAlgorithm": "SSEAlgorithm", "kmsMasterKeyId": "KMSMasterKeyID"}
        rules = [
            {
                "ApplyServerSideEncryptionByDefault": given(
                    rule["applyServerSideEncryptionByDefault"], names
                ),
                "BucketKeyEnabled": bool(rule.get("bucketKeyEnabled")),
            }
            for rule in inputs["rules"]
        ]
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        answer = aws.client("s3").get_bucket_encryption(Bucket=identity)
        rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
        defaults = [rule["ApplyServerSideEncryptionByDefault"] for rule in rules]
        return {
            "bucket": identity,
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": default["SSEAlgorithm"],
                        "kmsMasterKeyId": default.get("KMSMasterKeyID"),
                    },
                    "bucketKeyEnabled": rule.get("BucketKeyEnabled", False),
                }
                for rule, default in zip(rules, defaults, strict=True)
            ],
        }

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.client("s3").delete_bucket_encryption(Bucket=identity)


class BucketVersioning(_Part):
    kind = "aws:s3/bucketVersioning:BucketVersioning"

    def _put(self, s3: Client, bucket: str, inputs: Properties) -> None:
        status = inputs["versioningConfiguration"]["status"]
        if status != "Disabled":
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        status = aws.client("s3").get_bucket_versioning(Bucket=identity).get("Status", "Disabled")
        return {"bucket": identity, "versioningConfiguration": {"status": status}}

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        suspended = {"Status": "Suspended"}
        aws.client("s3").put_bucket_versioning(Bucket=identity, VersioningConfiguration=suspended)


class BucketLifecycleConfiguration(_Part):
    kind = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"

    def _put(self, s3: Client, bucket: str, inputs: Properties) -> None:
        rules = [_life_cycle_rule(rule) for rule in inputs["rules"]]
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": rules}
        )

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        answer = aws.client("s3").get_bucket_lifecycle_configuration(Bucket=identity)
        present = {rule["ID"] for rule in answer["Rules"]}
        written = known.get("rules") or []
        return {"bucket": identity, "rules": [rule for rule in written if rule["id"] in present]}

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.client("s3").delete_bucket_lifecycle(Bucket=identity)


def _life_cycle_rule(rule: Properties) -> Properties:
    described: Properties = {
        "ID": rule["id"],
        "Status": rule["status"],
        "Filter": given(rule.get("filter") or {"prefix": ""}, {"prefix": "Prefix"}),
    }
    if rule.get("expiration"):
        described["Expiration"] = given(rule["expiration"], {"days": "Days", "date": "Date"})
    if rule.get("abortIncompleteMultipartUpload"):
        days = rule["abortIncompleteMultipartUpload"]["daysAfterInitiation"]
        described["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": int(days)}
    names = {"days": "Days", "date": "Date", "storageClass": "StorageClass"}
    if rule.get("transitions"):
        described["Transitions"] = [given(item, names) for item in rule["transitions"]]
    if rule.get("noncurrentVersionExpiration"):
        described["NoncurrentVersionExpiration"] = given(
            rule["noncurrentVersionExpiration"], {"noncurrentDays": "NoncurrentDays"}
        )
    return described


class BucketPolicy(_Part):
    kind = "aws:s3/bucketPolicy:BucketPolicy"
    traits = Traits(replace=frozenset({"bucket", "region"}), documents=frozenset({"policy"}))

    def _put(self, s3: Client, bucket: str, inputs: Properties) -> None:
        json.loads(inputs["policy"])
        s3.put_bucket_policy(Bucket=bucket, Policy=inputs["policy"])

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        policy = aws.client("s3").get_bucket_policy(Bucket=identity)["Policy"]
        return {"bucket": identity, "policy": policy}

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.client("s3").delete_bucket_policy(Bucket=identity)


RESOURCES = [
    Bucket,
    BucketPublicAccessBlock,
    BucketServerSideEncryptionConfiguration,
    BucketVersioning,
    BucketLifecycleConfiguration,
    BucketPolicy,
]
