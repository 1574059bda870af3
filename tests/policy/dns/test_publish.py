"""What owners of domains elsewhere publish."""

import dns.name
import dns.zone

from policy.dns.publish import Publication, in_short, records_to_publish, zone_text
from tests.policy.dns.test_plan import settings

LONG = "x" * 300


def publications() -> tuple[Publication, ...]:
    domain = {
        "name": "customer.example",
        "dkim": {"ed25519": True},
        "dmarc": {"policy": "reject", "report": "dmarc@customer.example"},
        "spf": {"include": ["_spf.example.org"], "otherTxt": ['say="quoted; text"', LONG]},
    }
    return records_to_publish(settings(domain, {"name": "ours.mail.example.com"}))


def test_a_domain_in_our_zone_needs_no_publication() -> None:
    assert records_to_publish(settings({"name": "ours.mail.example.com"})) == ()


def test_every_record_says_name_type_value_ttl_and_why() -> None:
    for record in publications():
        assert record.name.endswith("customer.example")
        assert record.type in ("CNAME", "TXT")
        assert record.value
        assert record.ttl > 0
        assert "customer.example" in record.why


def test_the_zone_text_is_what_a_name_server_loads() -> None:
    text = zone_text(publications())
    origin = dns.name.from_text("customer.example.")
    zone = dns.zone.from_text(text, origin=origin, check_origin=False)
    loaded = {
        (str(name.derelativize(origin)).removesuffix("."), rdata.rdtype.name, rdata.to_text())
        for name, _, rdata in zone.iterate_rdatas()
    }
    assert {(name, kind) for name, kind, _ in loaded} == {(r.name, r.type) for r in publications()}
    texts = {value for name, kind, value in loaded if name == "customer.example"}
    assert f'"{"x" * 255}" "{"x" * 45}"' in texts
    assert '"say=\\"quoted; text\\""' in texts


def test_each_record_follows_its_reason() -> None:
    lines = zone_text(publications()).splitlines()
    assert all(line.startswith("; ") for line in lines[::2])
    assert not any(line.startswith(";") for line in lines[1::2])


def test_nothing_to_publish_is_an_empty_text() -> None:
    assert zone_text(()) == ""


def test_in_short_domains_with_the_keys_of_a_brand_are_said_once() -> None:
    def domain(name: str) -> dict[str, object]:
        return {"name": name, "dkim": {"keys": "brand"}}

    own = {"name": "own.example"}
    short = in_short(settings(domain("a.example"), domain("b.example"), own))
    assert short == in_short(settings(domain("c.example"), own))
    names = {record.name for record in short}
    assert "s1._domainkey.<domain>" in names
    assert "s1._domainkey.own.example" in names
    assert not [record for record in short if "a.example" in f"{record.name}{record.why}"]


def test_in_short_without_keys_of_a_brand_is_every_record() -> None:
    stranger = {"publish": True, "report": "dmarc@reports.example"}
    chosen = settings({"name": "own.example", "dmarc": stranger}, {"name": "two.example"})
    assert set(in_short(chosen)) == set(records_to_publish(chosen))
    assert "*._report._dmarc.reports.example" in {record.name for record in in_short(chosen)}
