# ruff: noqa: ARG002 - every type's operations take the same arguments
"""VPC, subnets and internet gateway."""

from botocore.exceptions import ClientError

from standins.pulumi.aws.resource import AwsResource, Scope, given, specification, tag_map
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Traits


def arn(aws: Scope, kind: str, identity: str, owner: str) -> str:
    """EC2's name for a thing of the account."""
    return f"arn:aws:ec2:{aws.region}:{owner}:{kind}/{identity}"


class Vpc(AwsResource):
    kind = "aws:ec2/vpc:Vpc"
    traits = Traits(replace=frozenset({"cidrBlock", "instanceTenancy", "region"}))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        created = aws.ec2.create_vpc(
            CidrBlock=inputs["cidrBlock"],
            InstanceTenancy=inputs.get("instanceTenancy") or "default",
            TagSpecifications=specification("vpc", inputs),
        )
        identity = str(created["Vpc"]["VpcId"])
        self._set_dns(aws, identity, inputs)
        return identity

    def _set_dns(self, aws: Scope, identity: str, inputs: Properties) -> None:
        switches = {
            "EnableDnsSupport": "enableDnsSupport",
            "EnableDnsHostnames": "enableDnsHostnames",
        }
        for api, name in switches.items():
            if inputs.get(name) is not None:
                aws.ec2.modify_vpc_attribute(VpcId=identity, **{api: {"Value": inputs[name]}})

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        vpc = aws.ec2.describe_vpcs(VpcIds=[identity])["Vpcs"][0]
        of_vpc = [{"Name": "vpc-id", "Values": [identity]}]
        tables = aws.ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
        main = [table["RouteTableId"] for table in tables if _is_main(table)]
        groups = aws.ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]
        default = [group["GroupId"] for group in groups if group["GroupName"] == "default"]
        return {
            "arn": arn(aws, "vpc", identity, vpc["OwnerId"]),
            "cidrBlock": vpc["CidrBlock"],
            "instanceTenancy": vpc["InstanceTenancy"],
            "ownerId": vpc["OwnerId"],
            "dhcpOptionsId": vpc["DhcpOptionsId"],
            "enableDnsSupport": _attribute(aws, identity, "EnableDnsSupport"),
            "enableDnsHostnames": _attribute(aws, identity, "EnableDnsHostnames"),
            "mainRouteTableId": main[0] if main else None,
            "defaultRouteTableId": main[0] if main else None,
            "defaultSecurityGroupId": default[0] if default else None,
            "tagsAll": tag_map(vpc.get("Tags")),
        }

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        self._set_dns(aws, identity, news)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.ec2.delete_vpc(VpcId=identity)


def _is_main(table: Properties) -> bool:
    return any(association.get("Main") for association in table["Associations"])


def _attribute(aws: Scope, vpc: str, name: str) -> bool:
    attribute = name[0].lower() + name[1:]
    answer = aws.ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)
    return bool(answer[name]["Value"])


class Subnet(AwsResource):
    kind = "aws:ec2/subnet:Subnet"
    traits = Traits(
        replace=frozenset(
            {"availabilityZone", "availabilityZoneId", "cidrBlock", "vpcId", "region"}
        )
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        names = {
            "vpcId": "VpcId",
            "cidrBlock": "CidrBlock",
            "availabilityZone": "AvailabilityZone",
            "availabilityZoneId": "AvailabilityZoneId",
        }
        created = aws.ec2.create_subnet(
            **given(inputs, names), TagSpecifications=specification("subnet", inputs)
        )
        identity = str(created["Subnet"]["SubnetId"])
        self._update(aws, identity, {}, inputs)
        return identity

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        subnet = aws.ec2.describe_subnets(SubnetIds=[identity])["Subnets"][0]
        return {
            "arn": arn(aws, "subnet", identity, subnet["OwnerId"]),
            "vpcId": subnet["VpcId"],
            "cidrBlock": subnet["CidrBlock"],
            "availabilityZone": subnet["AvailabilityZone"],
            "availabilityZoneId": subnet["AvailabilityZoneId"],
            "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
            "ownerId": subnet["OwnerId"],
            "tagsAll": tag_map(subnet.get("Tags")),
        }

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        value = news.get("mapPublicIpOnLaunch")
        if value is not None:
            aws.ec2.modify_subnet_attribute(SubnetId=identity, MapPublicIpOnLaunch={"Value": value})

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.ec2.delete_subnet(SubnetId=identity)


class InternetGateway(AwsResource):
    kind = "aws:ec2/internetGateway:InternetGateway"
    traits = Traits(replace=frozenset({"region"}))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        created = aws.ec2.create_internet_gateway(
            TagSpecifications=specification("internet-gateway", inputs)
        )
        identity = str(created["InternetGateway"]["InternetGatewayId"])
        if inputs.get("vpcId"):
            aws.ec2.attach_internet_gateway(InternetGatewayId=identity, VpcId=inputs["vpcId"])
        return identity

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        answer = aws.ec2.describe_internet_gateways(InternetGatewayIds=[identity])
        gateway = answer["InternetGateways"][0]
        owner = gateway.get("OwnerId", "")
        attachments = gateway.get("Attachments") or []
        return {
            "arn": arn(aws, "internet-gateway", identity, owner),
            "ownerId": owner,
            "vpcId": attachments[0]["VpcId"] if attachments else None,
            "tagsAll": tag_map(gateway.get("Tags")),
        }

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        old, new = olds.get("vpcId"), news.get("vpcId")
        if old != new:
            self._detach(aws, identity, old)
            if new:
                aws.ec2.attach_internet_gateway(InternetGatewayId=identity, VpcId=new)

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        self._detach(aws, identity, state.get("vpcId"))
        aws.ec2.delete_internet_gateway(InternetGatewayId=identity)

    @staticmethod
    def _detach(aws: Scope, identity: str, vpc: str | None) -> None:
        if not vpc:
            return
        try:
            aws.ec2.detach_internet_gateway(InternetGatewayId=identity, VpcId=vpc)
        except ClientError as error:
            if error.response["Error"]["Code"] != "Gateway.NotAttached":
                raise


RESOURCES = [Vpc, Subnet, InternetGateway]
