# ruff: noqa: ARG002 - every type's operations take the same arguments
"""Secrets and their versions; values are secret in every output."""

import json

from standins.pulumi.aws.resource import AwsResource, Scope, given, tag_list, tag_map
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Traits


class Secret(AwsResource):
    kind = "aws:secretsmanager/secret:Secret"
    traits = Traits(
        replace=frozenset({"name", "namePrefix", "region"}),
        documents=frozenset({"policy"}),
        autoname="name",
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        names = {"name": "Name", "description": "Description", "kmsKeyId": "KmsKeyId"}
        created = aws.client("secretsmanager").create_secret(
            **given(inputs, names), Tags=tag_list(inputs.get("tagsAll") or {})
        )
        identity = str(created["ARN"])
        self._put_policy(aws, identity, inputs)
        return identity

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        found = aws.client("secretsmanager").describe_secret(SecretId=identity)
        if found.get("DeletedDate"):
            return None
        return {
            "arn": found["ARN"],
            "description": found.get("Description") or None,
            "kmsKeyId": found.get("KmsKeyId") or None,
            "name": found["Name"],
            "tagsAll": tag_map(found.get("Tags")),
        }

    def _retag(
        self, aws: Scope, identity: str, state: Properties, put: dict[str, str], drop: list[str]
    ) -> None:
        if drop:
            aws.client("secretsmanager").untag_resource(SecretId=identity, TagKeys=drop)
        if put:
            aws.client("secretsmanager").tag_resource(SecretId=identity, Tags=tag_list(put))

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        names = {"description": "Description", "kmsKeyId": "KmsKeyId"}
        if any(olds.get(name) != news.get(name) for name in names):
            aws.client("secretsmanager").update_secret(SecretId=identity, **given(news, names))
        if olds.get("policy") != news.get("policy"):
            self._put_policy(aws, identity, news)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        window = state.get("recoveryWindowInDays")
        days = 30 if window is None else int(window)
        when: Properties = (
            {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        )
        aws.client("secretsmanager").delete_secret(SecretId=identity, **when)

    @staticmethod
    def _put_policy(aws: Scope, identity: str, inputs: Properties) -> None:
        if inputs.get("policy"):
            json.loads(inputs["policy"])
            aws.client("secretsmanager").put_resource_policy(
                SecretId=identity, ResourcePolicy=inputs["policy"]
            )


class SecretVersion(AwsResource):
    kind = "aws:secretsmanager/secretVersion:SecretVersion"
    traits = Traits(
        replace=frozenset({"secretId", "secretString", "secretBinary", "region"}),
        sets=frozenset({"versionStages"}),
        secrets=frozenset({"secretString", "secretBinary", "secretStringWo"}),
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        names = {"secretId": "SecretId", "secretString": "SecretString"}
        stored = aws.client("secretsmanager").put_secret_value(
            **given(inputs, names), **given(inputs, {"versionStages": "VersionStages"})
        )
        return f"{inputs['secretId']}|{stored['VersionId']}"

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        secret, version = identity.rsplit("|", 1)
        found = aws.client("secretsmanager").get_secret_value(SecretId=secret, VersionId=version)
        return {
            "arn": found["ARN"],
            "secretId": secret,
            "secretString": found.get("SecretString"),
            "versionId": version,
            "versionStages": found.get("VersionStages"),
        }

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        """The current version cannot be removed; it goes with its secret, as on AWS."""


RESOURCES = [Secret, SecretVersion]
