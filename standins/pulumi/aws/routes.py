# ruff: noqa: ARG002 - every type's operations take the same arguments
"""Route tables, routes, and the subnets that follow them."""

import zlib

from botocore.exceptions import ClientError

from standins.pulumi.aws.account import absent
from standins.pulumi.aws.network import arn
from standins.pulumi.aws.resource import AwsResource, Scope, given, specification, tag_map
from standins.pulumi.errors import ProviderError
from standins.pulumi.properties import Properties
from standins.pulumi.resource import Traits


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
            "arn": arn(aws, "route-table", identity, owner),
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


RESOURCES = [RouteTable, Route, RouteTableAssociation]
