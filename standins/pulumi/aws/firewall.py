# ruff: noqa: ARG002 - every type's operations take the same arguments
"""Security groups and their rules; every change is put into force on the hosts' network."""

from standins.pulumi.aws.account import ACCOUNT_ID
from standins.pulumi.aws.resource import AwsResource, Scope, given, specification, tag_map
from standins.pulumi.errors import InvalidInputs
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Traits
from standins.pulumi.schema import Refusal

_PEERS = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


class SecurityGroup(AwsResource):
    """Without rules in it: those are resources of their own, and inline ones are refused."""

    kind = "aws:ec2/securityGroup:SecurityGroup"
    traits = Traits(
        replace=frozenset({"name", "namePrefix", "description", "vpcId", "region"}), autoname="name"
    )

    def _settle(self) -> None:
        self.world.apply_network()

    def validate(self, inputs: Properties) -> None:
        for name in ("ingress", "egress"):
            if inputs.get(name):
                reason = "the sandbox knows rules as resources only (SecurityGroup*Rule)"
                raise InvalidInputs(Refusal(path=name, reason=reason))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        created = aws.ec2.create_security_group(
            GroupName=inputs["name"],
            Description=inputs.get("description") or "Managed by Pulumi",
            VpcId=inputs["vpcId"],
            TagSpecifications=specification("security-group", inputs),
        )
        identity = str(created["GroupId"])
        # The real provider takes away AWS's own rule that allows everything out.
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        aws.ec2.revoke_security_group_egress(GroupId=identity, IpPermissions=everything)
        return identity

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        group = aws.ec2.describe_security_groups(GroupIds=[identity])["SecurityGroups"][0]
        owner = group["OwnerId"]
        return {
            "arn": f"arn:aws:ec2:{aws.region}:{owner}:security-group/{identity}",
            "name": group["GroupName"],
            "description": group["Description"],
            "vpcId": group["VpcId"],
            "ownerId": owner,
            "ingress": [],
            "egress": [],
            "tagsAll": tag_map(group.get("Tags")),
        }

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.ec2.delete_security_group(GroupId=identity)


class _Rule(AwsResource):
    traits = Traits(replace=frozenset({"securityGroupId", "region"}))
    egress: bool

    def _settle(self) -> None:
        self.world.apply_network()

    def validate(self, inputs: Properties) -> None:
        peers = [name for name in _PEERS if inputs.get(name) is not None]
        if len(peers) != 1:
            reason = f"exactly one of {', '.join(_PEERS)} is expected, got {len(peers)}"
            raise InvalidInputs(Refusal(path="cidrIpv4", reason=reason))
        every = str(inputs.get("ipProtocol")) == "-1"
        for name in ("fromPort", "toPort"):
            if every and inputs.get(name) is not None:
                raise InvalidInputs(Refusal(path=name, reason="not allowed when ipProtocol is -1"))
            if not every and inputs.get(name) is None:
                raise InvalidInputs(Refusal(path=name, reason="required for this ipProtocol"))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        arguments = {
            "GroupId": inputs["securityGroupId"],
            "IpPermissions": [_permission(inputs)],
            "TagSpecifications": specification("security-group-rule", inputs),
        }
        if self.egress:
            answer = aws.ec2.authorize_security_group_egress(**arguments)
        else:
            answer = aws.ec2.authorize_security_group_ingress(**arguments)
        return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        answer = aws.ec2.describe_security_group_rules(SecurityGroupRuleIds=[identity])
        if not answer["SecurityGroupRules"]:
            return None
        rule = answer["SecurityGroupRules"][0]
        every = str(rule["IpProtocol"]) == "-1"
        peer = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
        prefix = f"arn:aws:ec2:{aws.region}:{ACCOUNT_ID}"
        return {
            "arn": f"{prefix}:security-group-rule/{identity}",
            "securityGroupRuleId": identity,
            "securityGroupId": rule["GroupId"],
            "ipProtocol": str(rule["IpProtocol"]),
            "fromPort": None if every else rule.get("FromPort"),
            "toPort": None if every else rule.get("ToPort"),
            "cidrIpv4": rule.get("CidrIpv4"),
            "cidrIpv6": rule.get("CidrIpv6"),
            "referencedSecurityGroupId": peer,
            # Moto forgets the description of a rule between groups.
            "description": rule.get("Description") or (known.get("description") if peer else None),
            "tagsAll": tag_map(rule.get("Tags")),
        }

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        names = {
            "ipProtocol": "IpProtocol",
            "fromPort": "FromPort",
            "toPort": "ToPort",
            "cidrIpv4": "CidrIpv4",
            "cidrIpv6": "CidrIpv6",
            "referencedSecurityGroupId": "ReferencedGroupId",
            "description": "Description",
        }
        aws.ec2.modify_security_group_rules(
            GroupId=news["securityGroupId"],
            SecurityGroupRules=[
                {"SecurityGroupRuleId": identity, "SecurityGroupRule": given(news, names)}
            ],
        )

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        arguments = {"GroupId": state["securityGroupId"], "SecurityGroupRuleIds": [identity]}
        if self.egress:
            aws.ec2.revoke_security_group_egress(**arguments)
        else:
            aws.ec2.revoke_security_group_ingress(**arguments)


class SecurityGroupIngressRule(_Rule):
    kind = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    egress = False


class SecurityGroupEgressRule(_Rule):
    kind = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    egress = True


def _permission(inputs: Properties) -> Properties:
    permission = given(
        inputs, {"ipProtocol": "IpProtocol", "fromPort": "FromPort", "toPort": "ToPort"}
    )
    peer = {
        "cidrIpv4": ("IpRanges", "CidrIp"),
        "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "prefixListId": ("PrefixListIds", "PrefixListId"),
        "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    }
    for name, (member, key) in peer.items():
        if inputs.get(name) is not None:
            entry = {key: inputs[name], **given(inputs, {"description": "Description"})}
            permission[member] = [entry]
    return permission


RESOURCES = [SecurityGroup, SecurityGroupIngressRule, SecurityGroupEgressRule]
