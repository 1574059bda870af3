"""Records that exist already, and delegations that would hide ours."""

import pytest

from policy.dns.existing import Held, ZoneRecords

HELD = [
    Held(name="example.com.", type="NS"),
    Held(name="example.com.", type="SOA"),
    Held(name="_dmarc.example.com.", type="TXT"),
    Held(name="s1._domainkey.example.com.", type="CNAME"),
    Held(name="news.example.com.", type="NS"),
    Held(name="\\052._report._dmarc.example.com.", type="TXT"),
]


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("_dmarc.example.com", "TXT", "TXT"),
        ("_dmarc.example.com", "CNAME", "TXT"),
        ("_dmarc.example.com", "MX", None),
        ("s1._domainkey.example.com", "TXT", "CNAME"),
        ("s2._domainkey.example.com", "TXT", None),
        ("*._report._dmarc.example.com", "TXT", "TXT"),
        ("news.example.com", "TXT", "NS"),
        ("s1._domainkey.news.example.com", "TXT", "NS"),
        ("oldnews.example.com", "TXT", None),
        ("example.com", "TXT", None),
    ],
)
def test_what_is_in_the_way(name: str, kind: str, found: str | None) -> None:
    there = ZoneRecords("example.com", HELD).obstacle(name, kind)
    assert (there.type if there else None) == found
