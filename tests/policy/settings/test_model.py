"""What the model derives from settings."""

import gzip
import json
from importlib.resources import files

import boto3
import pytest

from policy.settings import SettingsError, load
from policy.settings.base import regions, seconds
from policy.settings.hosts import MtaHosts, ProxyHost
from policy.settings.instances import instance_types
from tests.policy.settings.good import GOOD, NOWHERE, changed, read, setting


@pytest.mark.parametrize(
    ("instance_type", "processor"), [("c7g.xlarge", "arm64"), ("c7i.xlarge", "amd64")]
)
def test_the_processor_follows_from_the_instance_type(instance_type: str, processor: str) -> None:
    assert MtaHosts(instance_type=instance_type).processor == processor


def test_an_unlisted_instance_type_has_what_the_settings_state() -> None:
    host = ProxyHost(
        name="proxy-1", instance_type="z9g.huge", architecture="arm64", addresses_per_interface=30
    )
    assert (host.processor, host.address_limit) == ("arm64", 30)


def test_the_table_of_instance_types_agrees_with_awss_own_metrics() -> None:
    """moto carries what `describe-instance-types` answers."""
    answers = files("moto.ec2").joinpath("resources/instance_types.json.gz").read_bytes()
    truth = json.loads(gzip.decompress(answers))
    for name, ours in instance_types().items():
        assert truth[name]["NetworkInfo"]["Ipv4AddressesPerInterface"] == ours["addresses"], name
        processors = truth[name]["ProcessorInfo"]["SupportedArchitectures"]
        theirs = {"arm64": "arm64", "x86_64": "amd64", "i386": "amd64"}
        assert {theirs[processor] for processor in processors} == {ours["architecture"]}, name


def test_ed25519_adds_a_selector_to_each() -> None:
    (first, _) = read(changed(setting("domains[0].dkim", {"ed25519": True}))).domains
    assert first.dkim.published() == (
        ("s1", "rsa"),
        ("s2", "rsa"),
        ("s1-ed", "ed25519"),
        ("s2-ed", "ed25519"),
    )
    assert first.dkim.active_selector == "s1"


def test_a_domains_zone_is_its_own_or_ours_or_none() -> None:
    settings = read(changed(setting("domains[2]", "account.mail.example.com")))
    zones = [settings.zone_of(domain) for domain in settings.domains]
    assert zones == ["example.com", None, "mail.example.com"]


def test_the_first_source_of_a_proxy_comes_first() -> None:
    assert [source.name for source in read(changed()).sources_of("proxy-1")] == [
        "proxy-default",
        "out-2",
    ]


@pytest.mark.parametrize(
    ("duration", "expected"), [("30s", 30), ("5m", 300), ("24h", 86400), ("7d", 604800)]
)
def test_a_duration_has_its_seconds(duration: str, expected: int) -> None:
    assert seconds(duration) == expected


def test_regions_are_those_of_aws() -> None:
    session = boto3.session.Session()
    known = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition_name=partition)
    }
    assert set(regions()) == known


def test_a_region_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="did you mean eu-central-1"):
        load(GOOD, environment="test", region="eu-centrl-1", directory=NOWHERE)
