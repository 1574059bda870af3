"""The end of a run, as an operator reads it."""

from types import SimpleNamespace
from typing import Any

from sandbox.run import summary
from standins.pulumi.hosts import Record, Zone
from tests.ops.doctor.deployment import deployment_of


def test_the_summary_names_hosts_sources_records_and_what_is_a_stand_in() -> None:
    made = deployment_of()
    record = Record(name="s1._domainkey.news.example.com.", type="TXT", values=("v" * 400,))
    apex = Record(name="example.com", type="SOA", values=("x",))
    zones = [Zone(name="example.com", records=(apex, record))]
    standing: Any = SimpleNamespace(
        deployment=made,
        parts=SimpleNamespace(zones=zones),
        tree=SimpleNamespace(label="KUMO"),
        real=("command",),
    )
    text = summary(standing, 10)
    for host in made.hosts.values():
        assert host.address in text
        assert host.release_id in text
    for source in made.egress.values():
        assert source.ehlo in text
    assert "DNS zone example.com (records: 1)" in text
    assert "providers aws, tls, random are stand-ins" in text
    assert max(len(line) for line in text.splitlines()) < 120
