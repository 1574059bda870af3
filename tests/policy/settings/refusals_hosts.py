"""Refusals of networks, hosts and volumes."""

from tests.policy.settings.good import Refusals, source


def pin(version: str, *processors: str) -> dict[str, object]:
    """A pin as `ping8 kumomta pin` writes it."""
    return {
        "version": version,
        "source": ["deb [arch=any] https://packages.example.com/ stable main"],
        "fingerprint": "0123456789ABCDEF0123456789ABCDEF01234567",
        "digests": dict.fromkeys(processors or ("arm64", "amd64"), "ab" * 32),
    }


REFUSALS: Refusals = {
    # network
    "CIDR that is none": ({"network.cidr": "10.8.0.0/33"}, "network.cidr", "IPv4 network such as"),
    "CIDR of IPv6": ({"network.cidr": "2001:db8::/56"}, "network.cidr", "only supports IPv4"),
    "CIDR with host bits": ({"network.cidr": "10.8.0.1/16"}, "network.cidr", "10.8.0.0/16?"),
    "VPC with public addresses": ({"network.cidr": "198.51.0.0/16"}, "network.cidr", "private"),
    "VPC too large": ({"network.cidr": "10.0.0.0/8"}, "network.cidr", "/16 to /28"),
    "subnet too small for AWS": (
        {"network.subnets": ["10.8.0.0/24", "10.8.1.0/29"]},
        "network.subnets[1]",
        "/16 to /28",
    ),
    "subnet outside the VPC": (
        {"network.subnets": ["10.8.0.0/24", "10.9.1.0/24"]},
        "network.subnets[1]",
        "a part of the VPC's network",
    ),
    "overlapping subnets": (
        {"network.subnets": ["10.8.0.0/24", "10.8.0.128/25"]},
        "network.subnets[1]",
        "overlaps subnets[0]",
    ),
    "subnet too small for its hosts": (
        {
            "network.subnets": ["10.8.0.0/28", "10.8.1.0/28"],
            "elasticIpQuota": 20,
            "proxies[0].instanceType": "c7g.xlarge",
            "sources": [source("proxy-default", "out1")]
            + [source(f"out-{i}", f"out{i}") for i in range(2, 13)],
            "pools[1].sources": {f"out-{i}": 1 for i in range(2, 13)},
        },
        "network.subnets[0]",
        "room for 11 addresses and needs 13",
    ),
    "two names that mean one private address": (
        {"sources[1].privateAddress": "10.8.0.77", "mta.privateAddresses": {"mta-1": "10.8.0.77"}},
        "sources[1].privateAddress",
        "mta.privateAddresses.mta-1 has it too. Set another one for the newer of the two",
    ),
    "two names with one private address in a full subnet": (
        {
            "network.subnets": ["10.8.0.0/28", "10.8.1.0/28"],
            "elasticIpQuota": 20,
            "mta.privateAddresses": {"mta-1": "10.8.0.4"},
            "proxies[0].instanceType": "c7g.xlarge",
            "proxies[0].privateAddress": "10.8.0.5",
            "sources": [source("proxy-default", "out1")]
            + [
                {**source(f"out-{i}", f"out{i}"), "privateAddress": f"10.8.0.{min(i + 4, 14)}"}
                for i in range(2, 12)
            ],
            "pools[1].sources": {f"out-{i}": 1 for i in range(2, 12)},
        },
        "sources[10].privateAddress",
        "The subnet is full: make it larger",
    ),
    "private address that is none": (
        {"mta.privateAddresses": {"mta-1": "10.8.0"}},
        "mta.privateAddresses.mta-1",
        "IPv4 address such as",
    ),
    "private address of another subnet": (
        {"mta.privateAddresses": {"mta-1": "10.8.64.20"}},
        "mta.privateAddresses.mta-1",
        "one of its subnet 10.8.0.0/18",
    ),
    "Elastic IP of an MTA host that does not exist": (
        {"mta.allocationIds": {"mta-2": "eipalloc-0123456789abcdef0"}},
        "mta.allocationIds.mta-2",
        "no MTA host has this name",
    ),
    "more MTA hosts than fit": ({"mta.nodes": 101}, "mta.nodes", "100 or less"),
    "private address of a first source": (
        {"sources[0].privateAddress": "10.8.0.20"},
        "sources[0].privateAddress",
        "set proxies[0].privateAddress",
    ),
    "primary source of another proxy": (
        {"proxies[0].primarySource": "elsewhere"},
        "proxies[0].primarySource",
        "choose a source of proxy-1: proxy-default, out-2",
    ),
    "availability zone of another region": (
        {"network.availabilityZones": ["eu-central-1a", "eu-west-1a"]},
        "network.availabilityZones[1]",
        "eu-central-1a",
    ),
    "one availability zone twice": (
        {"network.availabilityZones": ["eu-central-1a", "eu-central-1a"]},
        "network.availabilityZones[1]",
        "another zone",
    ),
    # hosts
    "instance type that is none": ({"mta.instanceType": "large"}, "mta.instanceType", "t4g.small"),
    "instance type that is unknown": (
        {"mta.instanceType": "c7g.xlrage"},
        "mta.instanceType",
        "did you mean c7g.xlarge?",
    ),
    "processor that the instance type has not": (
        {"mta.architecture": "amd64"},
        "mta.architecture",
        "remove it: c7g.xlarge has arm64",
    ),
    "addresses that the instance type has not": (
        {"proxies[0].addressesPerInterface": 40},
        "proxies[0].addressesPerInterface",
        "remove it: t4g.small has 4",
    ),
    "more addresses than the instance type takes": (
        {
            "elasticIpQuota": 9,
            "sources": [source("proxy-default", "out1")]
            + [source(f"out-{i}", f"out{i}") for i in range(2, 6)],
            "pools[1].sources": {f"out-{i}": 1 for i in range(2, 6)},
        },
        "proxies[0].instanceType",
        "has at most 4 addresses and proxy-1 has 5 sources",
    ),
    "spool smaller than the backlog": ({"mta.spoolGib": 40}, "mta.spoolGib", "use 56 or more"),
    "spool IOPS that gp3 does not give": (
        {"mta.spoolGib": 10, "mta.expectedBacklog": 1000, "mta.spoolIops": 6000},
        "mta.spoolIops",
        "500 IOPS per GiB",
    ),
    "spool throughput that gp3 does not give": (
        {"mta.spoolThroughput": 1000},
        "mta.spoolThroughput",
        "0.25 MiB/s",
    ),
    "logs that fill their volume": ({"logs.keepGib": 45}, "logs.keepGib", "use 37 or less"),
    "journal that fills the root volume": ({"logs.journalGib": 10}, "mta.rootGib", "use 40"),
    "KumoMTA too old": (
        {"kumomta.version": "2026.03.04-bb93ecb1"},
        "kumomta.version",
        "use 2026.09.29-b90d8bc1 or newer: in this version mail whose spool write failed",
    ),
    "KumoMTA that anybody can stop": (
        {"kumomta.version": "2026.09.22-a276d4a8"},
        "kumomta.version",
        "in this version a recipient's domain can stop kumod",
    ),
    "pin of another version": (
        {"kumomta.pin": pin("2026.10.06-0a1b2c3d")},
        "kumomta.pin.version",
        "run `ping8 kumomta pin 2026.09.29-b90d8bc1`",
    ),
    "host whose processor the repository lacks": (
        {"kumomta.pin": pin("2026.09.29-b90d8bc1", "amd64"), "mta.instanceType": "c7i.xlarge"},
        "proxies[0].instanceType",
        "no package of 2026.09.29-b90d8bc1 for arm64: choose an instance type of amd64",
    ),
    "Ubuntu that hosts cannot run": ({"os.release": "20.04"}, "os.release", "one of 22.04, 24.04"),
    "KumoMTA of the development package": (
        {"kumomta.version": "2026.08.01-abcdef01-dev"},
        "kumomta.version",
        "kumomta-dev are not supported",
    ),
}
