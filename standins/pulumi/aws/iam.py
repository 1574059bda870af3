# ruff: noqa: ARG002 - every type's operations take the same arguments
"""Roles, their policies, and instance profiles."""

import json

from botocore.exceptions import ClientError

from standins.pulumi.aws.account import Client
from standins.pulumi.aws.resource import AwsResource, Scope, given, tag_list, tag_map
from standins.pulumi.errors import InvalidInputs
from standins.pulumi.properties import Properties, Value
from standins.pulumi.resource import Traits
from standins.pulumi.schema import Refusal


def _iam(aws: Scope) -> Client:
    return aws.account.client("iam", "us-east-1")


def _check_document(inputs: Properties, name: str) -> None:
    """The real provider refuses a policy that is not JSON before anything is asked of AWS."""
    value = inputs.get(name)
    if not isinstance(value, str):
        return
    try:
        json.loads(value)
    except json.JSONDecodeError as error:
        reason = f"contains an invalid JSON policy: {error}"
        raise InvalidInputs(Refusal(path=name, reason=reason)) from error


def _as_text(document: Value) -> str:
    return document if isinstance(document, str) else json.dumps(document)


class Role(AwsResource):
    kind = "aws:iam/role:Role"
    traits = Traits(
        replace=frozenset({"name", "namePrefix", "path"}),
        documents=frozenset({"assumeRolePolicy"}),
        sets=frozenset({"managedPolicyArns"}),
        autoname="name",
    )

    def validate(self, inputs: Properties) -> None:
        _check_document(inputs, "assumeRolePolicy")
        if inputs.get("inlinePolicies"):
            reason = "the sandbox knows policies as resources only (RolePolicy)"
            raise InvalidInputs(Refusal(path="inlinePolicies", reason=reason))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        names = {
            "name": "RoleName",
            "assumeRolePolicy": "AssumeRolePolicyDocument",
            "description": "Description",
            "path": "Path",
            "maxSessionDuration": "MaxSessionDuration",
            "permissionsBoundary": "PermissionsBoundary",
        }
        _iam(aws).create_role(**given(inputs, names), Tags=tag_list(inputs.get("tagsAll") or {}))
        for arn in inputs.get("managedPolicyArns") or []:
            _iam(aws).attach_role_policy(RoleName=inputs["name"], PolicyArn=arn)
        return str(inputs["name"])

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        role = _iam(aws).get_role(RoleName=identity)["Role"]
        return {
            "arn": role["Arn"],
            "assumeRolePolicy": _as_text(role["AssumeRolePolicyDocument"]),
            "createDate": str(role["CreateDate"]),
            "description": role.get("Description") or None,
            "maxSessionDuration": role.get("MaxSessionDuration"),
            "name": identity,
            "path": role["Path"],
            "uniqueId": role["RoleId"],
            "tagsAll": tag_map(role.get("Tags")),
        }

    def _retag(
        self, aws: Scope, identity: str, state: Properties, put: dict[str, str], drop: list[str]
    ) -> None:
        if drop:
            _iam(aws).untag_role(RoleName=identity, TagKeys=drop)
        if put:
            _iam(aws).tag_role(RoleName=identity, Tags=tag_list(put))

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        if olds.get("assumeRolePolicy") != news.get("assumeRolePolicy"):
            _iam(aws).update_assume_role_policy(
                RoleName=identity, PolicyDocument=news["assumeRolePolicy"]
            )
        changed = {"description": "Description", "maxSessionDuration": "MaxSessionDuration"}
        if any(olds.get(name) != news.get(name) for name in changed):
            _iam(aws).update_role(RoleName=identity, **given(news, changed))

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        for arn in state.get("managedPolicyArns") or []:
            _iam(aws).detach_role_policy(RoleName=identity, PolicyArn=arn)
        _iam(aws).delete_role(RoleName=identity)


class RolePolicy(AwsResource):
    kind = "aws:iam/rolePolicy:RolePolicy"
    traits = Traits(
        replace=frozenset({"name", "namePrefix", "role"}),
        documents=frozenset({"policy"}),
        autoname="name",
    )

    def validate(self, inputs: Properties) -> None:
        _check_document(inputs, "policy")

    def _create(self, aws: Scope, inputs: Properties) -> str:
        self._put(aws, inputs)
        return f"{inputs['role']}:{inputs['name']}"

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        role, name = identity.split(":", 1)
        found = _iam(aws).get_role_policy(RoleName=role, PolicyName=name)
        return {"name": name, "role": role, "policy": _as_text(found["PolicyDocument"])}

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._put(aws, news)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        role, name = identity.split(":", 1)
        _iam(aws).delete_role_policy(RoleName=role, PolicyName=name)

    @staticmethod
    def _put(aws: Scope, inputs: Properties) -> None:
        _iam(aws).put_role_policy(
            RoleName=inputs["role"],
            PolicyName=inputs["name"],
            PolicyDocument=_as_text(inputs["policy"]),
        )


class RolePolicyAttachment(AwsResource):
    kind = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    traits = Traits(replace=frozenset({"role", "policyArn"}))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        role, arn = inputs["role"], inputs["policyArn"]
        _iam(aws).attach_role_policy(RoleName=role, PolicyArn=arn)
        return f"{role}/{arn}"

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        answer = _iam(aws).list_attached_role_policies(RoleName=known["role"])
        arns = [policy["PolicyArn"] for policy in answer["AttachedPolicies"]]
        return {"role": known["role"]} if known["policyArn"] in arns else None

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        _iam(aws).detach_role_policy(RoleName=state["role"], PolicyArn=state["policyArn"])


class InstanceProfile(AwsResource):
    kind = "aws:iam/instanceProfile:InstanceProfile"
    traits = Traits(replace=frozenset({"name", "namePrefix", "path"}), autoname="name")

    def _create(self, aws: Scope, inputs: Properties) -> str:
        names = {"name": "InstanceProfileName", "path": "Path"}
        _iam(aws).create_instance_profile(
            **given(inputs, names), Tags=tag_list(inputs.get("tagsAll") or {})
        )
        self._set_role(aws, inputs["name"], None, inputs.get("role"))
        return str(inputs["name"])

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        found = _iam(aws).get_instance_profile(InstanceProfileName=identity)["InstanceProfile"]
        roles = [role["RoleName"] for role in found["Roles"]]
        return {
            "arn": found["Arn"],
            "createDate": str(found["CreateDate"]),
            "name": identity,
            "path": found["Path"],
            "role": roles[0] if roles else None,
            "uniqueId": found["InstanceProfileId"],
            "tagsAll": tag_map(found.get("Tags")),
        }

    def _retag(
        self, aws: Scope, identity: str, state: Properties, put: dict[str, str], drop: list[str]
    ) -> None:
        if drop:
            _iam(aws).untag_instance_profile(InstanceProfileName=identity, TagKeys=drop)
        if put:
            _iam(aws).tag_instance_profile(InstanceProfileName=identity, Tags=tag_list(put))

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._set_role(aws, identity, olds.get("role"), news.get("role"))

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        self._set_role(aws, identity, state.get("role"), None)
        _iam(aws).delete_instance_profile(InstanceProfileName=identity)

    @staticmethod
    def _set_role(aws: Scope, profile: str, old: str | None, new: str | None) -> None:
        if old == new:
            return
        if old:
            try:
                _iam(aws).remove_role_from_instance_profile(
                    InstanceProfileName=profile, RoleName=old
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchEntity":
                    raise
        if new:
            _iam(aws).add_role_to_instance_profile(InstanceProfileName=profile, RoleName=new)


RESOURCES = [Role, RolePolicy, RolePolicyAttachment, InstanceProfile]
