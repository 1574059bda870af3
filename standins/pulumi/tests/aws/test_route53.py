import grpc
import pytest

from standins.pulumi.hosts import Record
from standins.pulumi.service import Service
from standins.pulumi.tests.aws.site import RECORD, make_zone
from standins.pulumi.tests.engine import Engine, Refused, error_of
from standins.pulumi.tests.machine import RecordingHosts

LONG = "v=DKIM1; p=" + "a" * 244 + '""' + "b" * 100


@pytest.fixture
def zone(service: Service) -> str:
    return make_zone(service, "mail.example.com")


def _inputs(zone: str, **more: object) -> dict[str, object]:
    base = {"zoneId": zone, "name": "a.mail.example.com", "type": "A", "ttl": 300}
    return {**base, "records": ["192.0.2.1"], **more}


def test_a_record_is_published(aws: Engine, zone: str, hosts: RecordingHosts) -> None:
    made = aws.create(RECORD, "a", _inputs(zone))
    (published,) = hosts.zones
    assert published.name == "mail.example.com"
    expected = Record(name="a.mail.example.com", type="A", ttl=300, values=("192.0.2.1",))
    assert published.records == (expected,)
    aws.delete(made)
    assert hosts.zones[0].records == ()


def test_a_record_takes_as_many_requests_as_with_the_provider(
    aws: Engine, zone: str, service: Service
) -> None:
    """It reads the zone, changes it, asks whether that is in sync, and reads zone and record."""
    before = service.account.conditions.calls
    aws.create(RECORD, "a", _inputs(zone))
    assert service.account.conditions.calls - before == 5


def test_a_record_that_exists_is_not_overwritten(aws: Engine, zone: str) -> None:
    aws.create(RECORD, "one", _inputs(zone))
    with pytest.raises(grpc.RpcError) as caught:
        aws.create(RECORD, "two", _inputs(zone, records=["192.0.2.2"]))
    assert "but it already exists" in error_of(caught)


def test_a_name_may_leave_its_zone_out(aws: Engine, zone: str) -> None:
    made = aws.create(RECORD, "a", _inputs(zone, name="short"))
    assert made.state["fqdn"] == "short.mail.example.com"
    again = aws.read(made)
    assert again is not None
    assert again.inputs == made.inputs


def test_a_long_text_goes_out_in_strings_of_255_bytes(
    aws: Engine, zone: str, hosts: RecordingHosts
) -> None:
    made = aws.create(RECORD, "txt", _inputs(zone, type="TXT", records=[LONG]))
    (value,) = hosts.zones[0].records[0].values
    assert value == '"' + LONG.replace('""', '" "') + '"'
    again = aws.read(made)
    assert again is not None
    assert again.inputs == made.inputs


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x" * 256, "CharacterStringTooLong"),
        ('"v=spf1 -all"', "InvalidCharacterString"),
        ('a "quoted" word', "InvalidCharacterString"),
    ],
)
def test_a_text_that_route_53_refuses_is_refused(
    aws: Engine, zone: str, value: str, message: str
) -> None:
    with pytest.raises(Refused, match=rf"records\[0\]: {message}"):
        aws.check(RECORD, "txt", _inputs(zone, type="TXT", records=[value]))


def test_the_order_of_values_means_nothing(aws: Engine, zone: str) -> None:
    made = aws.create(RECORD, "a", _inputs(zone, records=["192.0.2.1", "192.0.2.2"]))
    changed = aws.diff(made, _inputs(zone, records=["192.0.2.2", "192.0.2.1"]))
    assert list(changed.diffs) == []


def test_a_changed_value_updates_and_a_changed_name_replaces(aws: Engine, zone: str) -> None:
    made = aws.create(RECORD, "a", _inputs(zone))
    assert list(aws.diff(made, _inputs(zone, records=["192.0.2.9"])).replaces) == []
    assert list(aws.diff(made, _inputs(zone, name="b.mail.example.com")).replaces) == ["name"]


def test_drift_shows_as_a_difference(aws: Engine, zone: str) -> None:
    made = aws.create(RECORD, "a", _inputs(zone))
    aws.update(made, _inputs(zone, records=["192.0.2.7"]))
    drifted = aws.read(made)
    assert drifted is not None
    assert drifted.inputs["records"] == ["192.0.2.7"]
    assert list(aws.diff(drifted, _inputs(zone)).diffs) == ["records"]


def test_a_zone_is_found_by_its_name(aws: Engine, zone: str) -> None:
    found = aws.invoke("aws:route53/getZone:getZone", name="mail.example.com.")
    assert found["zoneId"] == zone
    assert found["name"] == "mail.example.com"
    with pytest.raises(grpc.RpcError) as caught:
        aws.invoke("aws:route53/getZone:getZone", name="other.example")
    assert "no matching Route 53 Hosted Zone found" in error_of(caught)
