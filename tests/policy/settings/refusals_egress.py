"""Refusals of sources, pools, proxies and brands."""

from tests.policy.settings.good import Refusals, source

LONG = "a" * 60

EIP = "eipalloc-0123456789abcdef0"

REFUSALS: Refusals = {
    # sources, pools, proxies
    "EHLO name outside our zone": (
        {"sources[1].ehlo": "out2.example.org"},
        "sources[1].ehlo",
        "out2.mail.example.com",
    ),
    "EHLO name that only ends like our zone": (
        {"sources[1].ehlo": "out2.badmail.example.com"},
        "sources[1].ehlo",
        "choose a name in the zone",
    ),
    "EHLO name that is our zone": (
        {"sources[1].ehlo": "mail.example.com"},
        "sources[1].ehlo",
        "choose a name in the zone",
    ),
    "EHLO name used twice": (
        {"sources[1].ehlo": "OUT1.mail.example.com."},
        "sources[1].ehlo",
        "source proxy-default already uses this EHLO name",
    ),
    "EHLO name of the MTA": ({"sources[1].ehlo": "mta"}, "sources[1].ehlo", "where PING8 injects"),
    "EHLO name of a proxy's other address": (
        {"sources[1].ehlo": "proxy-1"},
        "sources[1].ehlo",
        "proxy host proxy-1",
    ),
    "EHLO name that is none": ({"sources[1].ehlo": "out_2"}, "sources[1].ehlo", "letters, digits"),
    "EHLO label that is over-long": (
        {"sources[1].ehlo": "a" * 64},
        "sources[1].ehlo",
        "63 characters",
    ),
    "EHLO name that is over-long in our zone": (
        {"zone": ".".join([LONG] * 4), "sources[1].ehlo": "a" * 30},
        "sources[1].ehlo",
        "DNS allows 253",
    ),
    "pool that names an unknown source": (
        {"pools[1].sources": {"out-3": 1}},
        "pools[1].sources.out-3",
        "did you mean out-2?",
    ),
    "pool without a source": ({"pools[1].sources": {}}, "pools[1].sources", "one or more sources"),
    "shares that no round of 64 turns has": (
        {"pools[1].sources": {"out-2": 1000, "proxy-default": 3}},
        "pools[1].sources",
        "smaller whole numbers",
    ),
    "weight of nothing": ({"pools[1].sources": {"out-2": 0}}, "pools[1].sources.out-2", "1 or"),
    "source twice": ({"sources[2]": source("out-2", "out3")}, "sources[2].name", "another one"),
    "pool twice": (
        {"pools[2]": {"name": "news", "sources": {"out-2": 1}}},
        "pools[2].name",
        "another one above has this name",
    ),
    "brand twice": (
        {"brands[2]": {"name": "news", "pool": "news"}},
        "brands[2].name",
        "another one above has this name",
    ),
    "proxy twice": ({"proxies[1]": {"name": "proxy-1"}}, "proxies[1].name", "another one"),
    "reserved name of a brand": (
        {"brands[1].name": "unspecified"},
        "brands[1].name",
        "reserved",
    ),
    "unused source": ({"sources[2]": source("out-3", "out3")}, "sources[2].name", "no pool uses"),
    "unused pool": (
        {"pools[2]": {"name": "spare", "sources": {"out-2": 1}}},
        "pools[2].name",
        "no brand uses",
    ),
    "unused proxy": (
        {"proxies[1]": {"name": "proxy-2"}},
        "proxies[1].name",
        "no source uses this proxy",
    ),
    "unknown proxy": ({"sources[1].proxy": "proxy-9"}, "sources[1].proxy", "did you mean proxy-1"),
    "proxy with the MTA's name": ({"proxies[1]": {"name": "mta"}}, "proxies[1].name", "MTA hosts"),
    "no source of the contract": ({"sources[0].name": "first"}, "sources", "proxy-default"),
    "no pool of the contract": ({"pools[0].name": "shared"}, "pools", "shared-default"),
    "Elastic IP twice": (
        {"sources[0].allocationId": EIP, "sources[1].allocationId": EIP},
        "sources[1].allocationId",
        "source proxy-default already has this Elastic IP",
    ),
    "Elastic IP of the MTA": (
        {"mta.allocationIds": {"mta-1": EIP}, "sources[1].allocationId": EIP},
        "sources[1].allocationId",
        "MTA host mta-1 already has this Elastic IP",
    ),
    "one Elastic IP for two MTA hosts": (
        {"mta.nodes": 2, "elasticIpQuota": 9, "mta.allocationIds": {"mta-1": EIP, "mta-2": EIP}},
        "mta.allocationIds.mta-2",
        "MTA host mta-1 already has this Elastic IP",
    ),
    "more Elastic IPs than the quota with two MTA hosts": (
        {"mta.nodes": 2},
        "elasticIpQuota",
        "6 are needed, one for each MTA host and each source and two for the load balancer",
    ),
    "more Elastic IPs than the quota": ({"elasticIpQuota": 2}, "elasticIpQuota", "3 are needed"),
    "more existing Elastic IPs than the quota": (
        {"elasticIpQuota": 2, "sources[1].allocationId": EIP},
        "elasticIpQuota",
        "3 are needed",
    ),
    "SOCKS port that the kernel dials from": (
        {"proxies[0].port": 40000},
        "proxies[0].port",
        "below 32768",
    ),
    "SOCKS port of the proxy's status": ({"proxies[0].port": 8001}, "proxies[0].port", "another"),
    # brands
    "brand with an unknown pool": (
        {"brands[1].pool": "nws"},
        "brands[1].pool",
        "did you mean news",
    ),
    "domain with an unknown brand": (
        {"domains[1].brand": "nws"},
        "domains[1].brand",
        "did you mean news?",
    ),
    "unused brand": ({"domains[1].brand": "default"}, "brands[1].name", "no sender domain uses"),
    "isolated brand sharing a source": (
        {"pools[0].sources": {"proxy-default": 1, "out-2": 1}},
        "brands[1].isolated",
        "brand default (pool shared-default) also sends from out-2",
    ),
    "isolated brand sharing its pool": (
        {"brands[0].pool": "news"},
        "brands[1].isolated",
        "also sends from out-2",
    ),
    "unknown senders on an isolated brand's source": (
        {"reception.unknownSenders": "accept", "brands[0].isolated": True},
        "reception.unknownSenders",
        "isolated brand default",
    ),
    "brand that waits longer than its longest wait": (
        {"brands[0].retryInterval": "2d"},
        "brands[0].retryInterval",
        "no longer than maxRetryInterval",
    ),
    "brand whose mail expires unretried": (
        {"brands[0].maxAge": "1h"},
        "brands[0].maxRetryInterval",
        "no longer than maxAge",
    ),
}
