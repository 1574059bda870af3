"""Zones as the sandbox's DNS serves them."""

import sys
from pathlib import Path

import dns.rdata
import dns.zone
import pytest

from sandbox.dns import Authority, complete, reverse_zones, zone_text
from sandbox.network import Cloud
from sandbox.process import run, wait_until
from standins.pulumi.hosts import Record, Zone
from tests.sandbox.records import text_value

SERVER = "198.51.100.53"


def record(name: str, kind: str, *values: str) -> Record:
    return Record(name=name, type=kind, values=values)


def of(zones: list[Zone], name: str) -> dns.zone.Zone:
    text = zone_text(next(zone for zone in zones if zone.name == name)).replace("SERIAL", "1")
    return dns.zone.from_text(text, origin=f"{name}.", relativize=False)


def data(zone: dns.zone.Zone, name: str, kind: str) -> dns.rdata.Rdata:
    found: dns.rdata.Rdata = next(iter(zone.find_rdataset(name, kind)))
    return found


def test_the_root_delegates_to_every_zone_and_a_parent_to_its_child() -> None:
    zones = complete(
        [
            Zone(name="brand.test", records=(record("brand.test", "A", "203.0.113.1"),)),
            Zone(name="mail.brand.test", records=()),
        ],
        SERVER,
    )
    root, brand = of(zones, ""), of(zones, "brand.test")
    assert root.get_rdataset("brand.test.", "NS") is not None
    assert root.get_rdataset("mail.brand.test.", "NS") is None
    assert brand.get_rdataset("mail.brand.test.", "NS") is not None


def test_a_route_53_name_server_resolves_to_the_sandboxs() -> None:
    zone = Zone(name="brand.test", records=(record("brand.test", "NS", "ns-1.awsdns-01.org."),))
    zones = complete([zone], SERVER)
    assert str(data(of(zones, "brand.test"), "brand.test.", "NS")) == ("ns-1.awsdns-01.org.")
    assert str(data(of(zones, "ns-1.awsdns-01.org"), "ns-1.awsdns-01.org.", "A")) == (SERVER)


def test_a_zone_has_one_soa_whatever_its_publisher_holds() -> None:
    zone = Zone(
        name="brand.test",
        records=(record("brand.test", "SOA", "ns-1.awsdns. host.awsdns. 1 1 1 1 1"),),
    )
    assert zone_text(zone).count(" SOA ") == 1


def test_a_wildcard_as_route_53_shows_it_is_a_wildcard() -> None:
    zone = Zone(name="brand.test", records=(record("\\052.brand.test", "A", "203.0.113.1"),))
    assert "\n*.brand.test. " in zone_text(zone)


def test_addresses_of_one_network_share_a_reverse_zone() -> None:
    zones = reverse_zones({"203.0.113.1": "a.test", "203.0.113.2": "b.test."})
    assert [zone.name for zone in zones] == ["113.0.203.in-addr.arpa"]
    assert [r.values for r in zones[0].records] == [("a.test.",), ("b.test.",)]


def test_a_long_text_is_split_into_strings_that_join_to_it() -> None:
    text = "k" * 254 + '"' + "\\" * 300
    zone = Zone(name="brand.test", records=(record("brand.test", "TXT", text_value(text)),))
    strings = data(of([zone], "brand.test"), "brand.test.", "TXT").strings  # type: ignore[attr-defined]
    assert b"".join(strings).decode() == text
    assert max(len(string) for string in strings) == 255


def test_a_publisher_replaces_only_its_own_zones(tmp_path: Path) -> None:
    authority = Authority(folder=tmp_path, cloud=Cloud(machine=False))
    authority.publish("one", [Zone(name="a.test", records=(record("a.test", "A", "203.0.113.1"),))])
    authority.publish(
        "two", [Zone(name="A.test", records=(record("b.a.test", "A", "203.0.113.2"),))]
    )
    authority.publish("two", [Zone(name="c.test", records=())])
    assert {zone.name: len(zone.records) for zone in authority.zones()} == {
        "a.test": 1,
        "c.test": 0,
    }


def test_publishing_the_same_again_writes_nothing(tmp_path: Path) -> None:
    authority = Authority(folder=tmp_path, cloud=Cloud(machine=False))
    zone = Zone(name="a.test", records=(record("a.test", "A", "203.0.113.1"),))
    authority.publish("one", [zone])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "zones").iterdir()}
    authority.publish("one", [zone])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "zones").iterdir()} == before
    authority.publish("one", [])
    assert not (tmp_path / "zones" / "a.test").exists()


@pytest.mark.sandbox
def test_an_alias_into_another_zone_is_followed_by_the_server(cloud: Cloud, tmp_path: Path) -> None:
    cloud.up(world_addresses=(SERVER,))
    authority = Authority(folder=tmp_path, cloud=cloud)
    authority.start()
    try:
        authority.publish(
            "one",
            [
                Zone(name="a.test", records=(record("www.a.test", "CNAME", "x.b.test."),)),
                Zone(name="b.test", records=(record("x.b.test", "TXT", text_value("found")),)),
            ],
        )

        def asked(name: str) -> str:
            script = (
                "import dns.message, dns.query\n"
                f"question = dns.message.make_query('{name}', 'TXT')\n"
                f"print(dns.query.udp(question, '{SERVER}', timeout=2).to_text())"
            )
            return run(cloud.inside(cloud.world, sys.executable, "-c", script)).stdout

        wait_until(lambda: '"found"' in asked("www.a.test"), "the zones", seconds=10)
        assert "rcode NXDOMAIN" in asked("nowhere.test")
    finally:
        authority.stop()
    assert not authority.running()


def test_a_name_in_route_53_is_a_full_one_with_or_without_its_last_dot() -> None:
    records = (
        record("brand.test", "MX", "10 mta.mail.test"),
        record("www.brand.test", "CNAME", "brand.test."),
    )
    text = zone_text(Zone(name="brand.test", records=records))
    assert " MX 10 mta.mail.test.\n" in text
    assert " CNAME brand.test.\n" in text
