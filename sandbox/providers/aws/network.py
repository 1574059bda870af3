# ruff: noqa: ARG002 - every type's operations take the same arguments
"""VPC, subnets, internet gateway and routes."""

import zlib

from botocore.exceptions import ClientError

from sandbox.providers.aws.account import absent
from sandbox.providers.aws.resource import AwsResource, Scope, given, specification, tag_map
from sandbox.providers.errors import ProviderError
from sandbox.providers.properties import Properties
from sandbox.providers.resource import Traits


def _arn(aws: Scope, kind: str, identity: str, owner: str) -> str:
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
            "arn": _arn(aws, "vpc", identity, vpc["OwnerId"]),
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
            "arn": _arn(aws, "subnet", identity, subnet["OwnerId"]),
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
            "arn": _arn(aws, "internet-gateway", identity, owner),
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


class RouteTable(AwsResource):
    kind = "aws:ec2/routeTable:RouteTable"
    traits = Traits(replace=frozenset({"vpcId", "region"}), sets=frozenset({"routes"}))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        created = aws.ec2.create_route_table(
            VpcId=inputs["vpcId"], TagSpecifications=specification("route-table", inputs)
        )
        identity = str(created["RouteTable"]["RouteTableId"])
        for route in inputs.get("routes") or []:
            _put_route(aws, identity, {**route, "destinationCidrBlock": route.get("cidrBlock")})
        return identity

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        table = aws.ec2.describe_route_tables(RouteTableIds=[identity])["RouteTables"][0]
        routes = [
            {"cidrBlock": route["DestinationCidrBlock"], "gatewayId": route["GatewayId"]}
            for route in table["Routes"]
            if route.get("GatewayId", "local") != "local" and route.get("DestinationCidrBlock")
        ]
        owner = table.get("OwnerId", "")
        outputs = {
            "arn": _arn(aws, "route-table", identity, owner),
            "ownerId": owner,
            "vpcId": table["VpcId"],
            "tagsAll": tag_map(table.get("Tags")),
        }
        # Routes are either the table's own or resources; only the first kind is compared.
        return {**outputs, "routes": routes} if known.get("routes") is not None else outputs

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        before = {route.get("cidrBlock"): route for route in olds.get("routes") or []}
        after = {route.get("cidrBlock"): route for route in news.get("routes") or []}
        for cidr, route in before.items():
            if after.get(cidr) != route:
                aws.ec2.delete_route(RouteTableId=identity, DestinationCidrBlock=cidr)
        for cidr, route in after.items():
            if before.get(cidr) != route:
                _put_route(aws, identity, {**route, "destinationCidrBlock": cidr})

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.ec2.delete_route_table(RouteTableId=identity)


def _put_route(aws: Scope, table: str, route: Properties) -> None:
    names = {
        "destinationCidrBlock": "DestinationCidrBlock",
        "gatewayId": "GatewayId",
        "natGatewayId": "NatGatewayId",
        "networkInterfaceId": "NetworkInterfaceId",
    }
    aws.ec2.create_route(RouteTableId=table, **given(route, names))


class Route(AwsResource):
    kind = "aws:ec2/route:Route"
    traits = Traits(
        replace=frozenset(
            {"routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock", "region"}
        )
    )

    def _create(self, aws: Scope, inputs: Properties) -> str:
        table, cidr = inputs["routeTableId"], inputs["destinationCidrBlock"]
        if self._find(aws, inputs) is not None:
            raise ProviderError(
                f"api error RouteAlreadyExists: route in {table} with destination {cidr} exists"
            )
        _put_route(aws, table, inputs)
        return f"r-{table}{zlib.crc32(cidr.encode())}"

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        route = self._find(aws, known)
        if route is None:
            return None
        return {
            "gatewayId": route.get("GatewayId"),
            "natGatewayId": route.get("NatGatewayId"),
            "networkInterfaceId": route.get("NetworkInterfaceId"),
            "origin": route.get("Origin"),
            "state": route.get("State"),
        }

    @staticmethod
    def _find(aws: Scope, inputs: Properties) -> Properties | None:
        try:
            answer = aws.ec2.describe_route_tables(RouteTableIds=[inputs["routeTableId"]])
        except ClientError as error:
            if absent(error):
                return None
            raise
        routes: list[Properties] = answer["RouteTables"][0]["Routes"]
        cidr = inputs["destinationCidrBlock"]
        return next((each for each in routes if each.get("DestinationCidrBlock") == cidr), None)

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        names = {"gatewayId": "GatewayId", "natGatewayId": "NatGatewayId"}
        aws.ec2.replace_route(
            RouteTableId=news["routeTableId"],
            DestinationCidrBlock=news["destinationCidrBlock"],
            **given(news, names),
        )

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.ec2.delete_route(
            RouteTableId=state["routeTableId"], DestinationCidrBlock=state["destinationCidrBlock"]
        )


class RouteTableAssociation(AwsResource):
    kind = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    # In place, the API would give the association another id.
    traits = Traits(replace=frozenset({"routeTableId", "subnetId", "gatewayId", "region"}))

    def _create(self, aws: Scope, inputs: Properties) -> str:
        answer = aws.ec2.associate_route_table(
            RouteTableId=inputs["routeTableId"], SubnetId=inputs["subnetId"]
        )
        return str(answer["AssociationId"])

    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        for table in aws.ec2.describe_route_tables()["RouteTables"]:
            for association in table["Associations"]:
                if association["RouteTableAssociationId"] == identity:
                    return {
                        "routeTableId": table["RouteTableId"],
                        "subnetId": association.get("SubnetId"),
                    }
        return None

    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        aws.ec2.disassociate_route_table(AssociationId=identity)


RESOURCES = [Vpc, Subnet, InternetGateway, RouteTable, Route, RouteTableAssociation]
