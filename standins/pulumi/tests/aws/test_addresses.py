import grpc
import pytest

from standins.pulumi.service import Service
from standins.pulumi.tests.aws.site import (
    ASSOCIATION,
    EIP,
    INTERFACE,
    POINTER,
    PRIMARY,
    RECORD,
    SECONDARY,
    Site,
    addresses,
    make_site,
    make_zone,
)
from standins.pulumi.tests.engine import Engine, Made, error_of
from standins.pulumi.tests.machine import RecordingHosts

NAME = "out.mail.example.com"


@pytest.fixture(autouse=True)
def _names_are_public_at_once(service: Service) -> None:
    service.account.conditions.public_after = 0


@pytest.fixture
def site(aws: Engine) -> Site:
    return make_site(aws)


def _associate(aws: Engine, site: Site, eip: Made, private: str | None) -> Made:
    inputs = {"allocationId": eip.identity, "networkInterfaceId": site.interface.identity}
    more = {"privateIpAddress": private} if private else {}
    return aws.create(ASSOCIATION, f"association-{private}", {**inputs, **more})


def _forward(aws: Engine, service: Service, address: str) -> Made:
    zone = make_zone(service, "mail.example.com")
    inputs = {"zoneId": zone, "name": NAME, "type": "A", "ttl": 60, "records": [address]}
    return aws.create(RECORD, "a", inputs)


def test_elastic_ips_come_from_the_outside_test_network(aws: Engine) -> None:
    addresses = {aws.create(EIP, f"eip-{n}", {"domain": "vpc"}).state["publicIp"] for n in "ab"}
    assert len(addresses) == 2
    assert all(address.startswith("203.0.113.") for address in addresses)


def test_an_elastic_ip_may_belong_to_a_secondary_address(
    aws: Engine, site: Site, hosts: RecordingHosts
) -> None:
    first = aws.create(EIP, "first", {"domain": "vpc"})
    second = aws.create(EIP, "second", {"domain": "vpc"})
    _associate(aws, site, first, None)
    _associate(aws, site, second, SECONDARY)
    assert hosts.network is not None
    expected = {first.state["publicIp"]: PRIMARY, second.state["publicIp"]: SECONDARY}
    assert hosts.network.elastic == expected


def test_a_private_address_has_one_elastic_ip(aws: Engine, site: Site) -> None:
    _associate(aws, site, aws.create(EIP, "first", {"domain": "vpc"}), SECONDARY)
    with pytest.raises(grpc.RpcError) as caught:
        _associate(aws, site, aws.create(EIP, "second", {"domain": "vpc"}), SECONDARY)
    assert "Resource.AlreadyAssociated" in error_of(caught)


def test_an_association_needs_an_address_of_the_interface(aws: Engine, site: Site) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        _associate(aws, site, aws.create(EIP, "eip", {"domain": "vpc"}), "10.20.1.99")
    assert "10.20.1.99 is not on network interface" in error_of(caught)


def test_a_deleted_association_ends_the_translation(
    aws: Engine, site: Site, hosts: RecordingHosts
) -> None:
    made = _associate(aws, site, aws.create(EIP, "eip", {"domain": "vpc"}), SECONDARY)
    assert aws.read(made) is not None
    aws.delete(made)
    assert hosts.network is not None
    assert hosts.network.elastic == {}
    assert aws.read(made) is None


def test_a_reverse_record_needs_its_forward_record_first(
    aws: Engine, service: Service, hosts: RecordingHosts
) -> None:
    eip = aws.create(EIP, "eip", {"domain": "vpc"})
    pointer = {"allocationId": eip.identity, "domainName": NAME}
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(POINTER, "ptr", pointer)
    assert "a reverse DNS record needs its forward record first" in error_of(caught)
    _forward(aws, service, eip.state["publicIp"])
    assert aws.create(POINTER, "ptr", pointer).state["ptrRecord"] == f"{NAME}."
    assert hosts.reverse == {eip.state["publicIp"]: NAME}


def test_an_address_with_a_reverse_record_cannot_be_released(aws: Engine, service: Service) -> None:
    eip = aws.create(EIP, "eip", {"domain": "vpc"})
    _forward(aws, service, eip.state["publicIp"])
    pointer = aws.create(POINTER, "ptr", {"allocationId": eip.identity, "domainName": NAME})
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(eip)
    assert "InvalidAddress.Locked" in error_of(caught)
    aws.delete(pointer)
    aws.delete(eip)
    assert aws.read(eip) is None


def test_an_address_in_use_cannot_be_released(aws: Engine, site: Site) -> None:
    eip = aws.create(EIP, "eip", {"domain": "vpc"})
    _associate(aws, site, eip, None)
    with pytest.raises(grpc.RpcError) as caught:
        aws.delete(eip)
    assert "InvalidIPAddress.InUse" in error_of(caught)


def test_an_address_that_exists_is_found_by_its_allocation(aws: Engine) -> None:
    eip = aws.create(EIP, "eip", {"domain": "vpc"})
    found = Made(kind=EIP, name="found", identity=eip.identity, inputs={}, state={})
    read = aws.read(found)
    assert read is not None
    assert read.state["publicIp"] == eip.state["publicIp"]
    by_id = aws.invoke("aws:ec2/getElasticIp:getElasticIp", id=eip.identity)
    assert by_id["publicIp"] == eip.state["publicIp"]


def test_a_changed_list_of_addresses_drops_the_elastic_ips_of_secondary_ones(
    aws: Engine, hosts: RecordingHosts
) -> None:
    subnet = make_site(aws).subnet.identity
    private = ["10.20.1.20", "10.20.1.21"]
    interface = aws.create(INTERFACE, "listed", {"subnetId": subnet, **addresses(*private)})
    eip = aws.create(EIP, "eip", {"domain": "vpc"})
    target = {"networkInterfaceId": interface.identity, "privateIpAddress": private[1]}
    held = aws.create(ASSOCIATION, "held", {"allocationId": eip.identity, **target})
    news = {"subnetId": subnet, **addresses(*private, "10.20.1.22")}
    assert list(aws.diff(interface, news).replaces) == []
    changed = aws.update(interface, news)
    assert changed.state["privateIpLists"] == [*private, "10.20.1.22"]
    assert aws.read(held) is None
    assert hosts.network is not None
    assert hosts.network.elastic == {}


def test_another_primary_address_is_another_interface(aws: Engine) -> None:
    interface = make_site(aws).interface
    changed = aws.diff(interface, interface.written(**addresses(SECONDARY, PRIMARY)))
    assert list(changed.replaces) == ["privateIpLists"]
