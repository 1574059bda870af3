"""Refusals of sender domains and their SPF."""

from tests.policy.settings.good import Refusals, source

LONG = "a" * 60

REFUSALS: Refusals = {
    "DMARC weaker than what a subdomain inherits": (
        {
            "domains[1]": {"name": "news.example.com", "zone": "example.com", "brand": "news"},
            "domains[0].dmarc": {"policy": "none", "subdomainPolicy": "reject"},
        },
        "domains[1].dmarc.policy",
        "use reject or stricter, as example.com requires",
    ),
    # sender domains
    "domain twice": ({"domains[2]": "example.com"}, "domains[2].name", "already listed"),
    "domain twice by case": ({"domains[2]": "EXAMPLE.com"}, "domains[2].name", "already listed"),
    "domain twice by the last dot": ({"domains[2]": "example.com."}, "domains[2].name", "listed"),
    "domain twice by IDNA": (
        {"domains[1].name": "bücher.example", "domains[2]": "xn--bcher-kva.example"},
        "domains[2].name",
        "already listed",
    ),
    "domain that is none": ({"domains[2]": "exa mple.com"}, "domains[2].name", "letters, digits"),
    "domain that is a public suffix": ({"domains[2]": "co.uk"}, "domains[2].name", "public suffix"),
    "domain that is a host of ours": (
        {"domains[2]": "out2.mail.example.com"},
        "domains[2].name",
        "source out-2",
    ),
    "zone that does not hold the domain": (
        {"domains[0].zone": "example.org"},
        "domains[0].zone",
        "is not in this zone",
    ),
    "zone that only ends like the domain": (
        {"domains[0].zone": "ample.com"},
        "domains[0].zone",
        "is not in this zone",
    ),
    "bounce domain of another organisation": (
        {"domains[0].zone": None, "domains[0].bounce": "bounce.example.org"},
        "domains[0].bounce",
        "under example.com",
    ),
    "bounce domain outside the domain's zone": (
        {
            "domains[0].name": "shop.example.com",
            "domains[0].zone": "shop.example.com",
            "domains[0].bounce": "bounce.example.com",
        },
        "domains[0].bounce",
        "in the domain's zone",
    ),
    "bounce domain that is a sender domain": (
        {"domains[2]": "bounce.example.com"},
        "domains[0].bounce",
        "is a sender domain",
    ),
    "bounce domain of two sender domains": (
        {"domains[2]": {"name": "b.example.com", "bounce": "bounce.example.com"}},
        "domains[2].bounce",
        "example.com already has this bounce domain",
    ),
    "bounce domain that is a host of ours": (
        {"domains[0].bounce": "mta.mail.example.com"},
        "domains[0].bounce",
        "the name where PING8 injects",
    ),
    "bounce domain that is an MTA host": (
        {"domains[0].bounce": "mta-1.mail.example.com"},
        "domains[0].bounce",
        "an MTA host",
    ),
    "feedback domain that is a whole domain": (
        {"domains[0].feedback": "example.org"},
        "domains[0].feedback",
        "choose an unused name below it",
    ),
    "bounce domain that is our zone": (
        {"domains[0].zone": None, "domains[0].bounce": "mail.example.com"},
        "domains[0].bounce",
        "choose an unused name below it",
    ),
    "feedback domain above a sender domain": (
        {"domains[2]": "a.news.example.org", "domains[0].feedback": "news.example.org"},
        "domains[0].feedback",
        "above the sender domain a.news.example.org",
    ),
    "feedback domain that is a sender domain": (
        {"domains[0].feedback": "news.example.net"},
        "domains[0].feedback",
        "is a sender domain",
    ),
    "feedback domain that is another's bounce domain": (
        {"domains[0].feedback": "bounce.news.example.net"},
        "domains[0].feedback",
        "bounce domain of news.example.net",
    ),
    "key that signs before DNS was seen with it": (
        {"domains[0].dkim": {"active": "s2", "made": {"s2": "2026-12-01T02:30:00Z"}}},
        "domains[0].dkim.active",
        "let `ping8 rotate dkim` change it",
    ),
    "key that signs and is newer than the look at DNS": (
        {
            "domains[0].dkim": {
                "made": {"s1": "2026-12-01T02:30:00Z"},
                "seen": {"s1": "2026-12-01T02:30:00Z"},
            }
        },
        "domains[0].dkim.active",
        "set s2",
    ),
    "time of a selector that is none": (
        {"domains[0].dkim.made": {"s3": "2026-12-01T02:30:00Z"}},
        "domains[0].dkim.made.s3",
        "s1",
    ),
    "time that is none": (
        {"domains[0].dkim.seen": {"s1": "2026-12-01"}},
        "domains[0].dkim.seen.s1",
        "write a time in UTC",
    ),
    "RSA under 2048 bits": ({"domains[0].dkim.bits": 1024}, "domains[0].dkim.bits", "use 2048"),
    "RSA of a size that few verify": (
        {"domains[0].dkim.bits": 8192},
        "domains[0].dkim.bits",
        "use 2048",
    ),
    "selector that is none": (
        {"domains[0].dkim.selectors": ["s_1", "s2"]},
        "domains[0].dkim.selectors[0]",
        "letters, digits",
    ),
    "selector of two labels": (
        {"domains[0].dkim.selectors": ["s1.x", "s2"]},
        "domains[0].dkim.selectors[0]",
        "without dots",
    ),
    "selector that is over-long": (
        {"domains[0].dkim.selectors": ["s" * 64, "s2"]},
        "domains[0].dkim.selectors[0]",
        "63 characters",
    ),
    "selector that is over-long with its Ed25519 ending": (
        {"domains[0].dkim": {"selectors": ["s" * 62, "s2"], "ed25519": True}},
        "domains[0].dkim.selectors",
        "longest label 65",
    ),
    "one selector twice": (
        {"domains[0].dkim.selectors": ["s1", "S1"]},
        "domains[0].dkim.selectors",
        "two different",
    ),
    "selector that is another's Ed25519 selector": (
        {"domains[0].dkim": {"selectors": ["s1", "s1-ed"], "ed25519": True}},
        "domains[0].dkim.selectors",
        "neither of which is the other with `-ed`",
    ),
    "three selectors": (
        {"domains[0].dkim.selectors": ["s1", "s2", "s3"]},
        "domains[0].dkim.selectors",
        "write 2 values; there are 3",
    ),
    "active selector that is not published": (
        {"domains[0].dkim.active": "s3"},
        "domains[0].dkim.active",
        "use one of: s1, s2",
    ),
    "keys of the brand beside a value of its own": (
        {"domains[0].dkim": {"keys": "brand", "bits": 4096}},
        "domains[0].dkim.bits",
        "set it in the brand's `dkim`",
    ),
    "brand whose keys have one selector twice": (
        {"brands[0].dkim": {"selectors": ["s1", "s1"]}},
        "brands[0].dkim.selectors",
        "two different",
    ),
    "brand whose DKIM target is over-long": (
        {"brands[0].dkim": {"selectors": ["s" * 62, "s2"], "ed25519": True}},
        "brands[0].name",
        "longest label 65",
    ),
    "domain over-long for its DKIM record": (
        {"domains[2]": ".".join(["a" * 58] * 4 + ["example"])},
        "domains[2].dkim.selectors",
        "shorten",
    ),
    "CNAME target over-long": (
        {"domains[2]": ".".join(["a" * 57] * 4)},
        "domains[2].dkim.selectors",
        "DNS allows 253",
    ),
    # SPF
    "SPF over ten look-ups": (
        {"domains[0].spf.include": [f"s{i}.example.org" for i in range(10)]},
        "domains[0].spf.include",
        "needs 11 or more",
    ),
    "SPF over ten look-ups by what is included": (
        {
            "domains[0].spf.include": [f"s{i}.example.org" for i in range(8)] + ["b.example.com"],
            "domains[2]": {"name": "b.example.com", "zone": "example.com", "spf": {}},
        },
        "domains[0].spf.include",
        "needs 11 or more",
    ),
    "SPF that includes itself": (
        {"domains[0].spf.include": ["Example.com"]},
        "domains[0].spf.include",
        "remove the loop",
    ),
    "SPF that includes itself by another": (
        {
            "domains[0].spf.include": ["b.example.com"],
            "domains[2]": {
                "name": "b.example.com",
                "zone": "example.com",
                "spf": {"include": ["example.com"]},
            },
        },
        "domains[0].spf.include",
        "remove the loop",
    ),
    "SPF include twice": (
        {"domains[0].spf.include": ["_spf.example.org", "_SPF.example.org."]},
        "domains[0].spf.include[1]",
        "already listed",
    ),
    "SPF include that is no name": (
        {"domains[0].spf.include": ["ip4:192.0.2.1"]},
        "domains[0].spf.include[0]",
        "belong in `record`",
    ),
    "SPF record over-long": (
        {"domains[0].spf.include": [f"s{i}.{LONG}.{LONG}.{LONG}.example" for i in range(6)]},
        "domains[0].spf.include",
        "keep it to 1100",
    ),
    "second SPF record": (
        {"domains[0].spf": {"otherTxt": ['"V=SPF1 " "-all"']}},
        "domains[0].spf.otherTxt[0]",
        "set it as `record`",
    ),
    "SPF record with a term that is none": (
        {"domains[0].spf": {"record": "v=spf1 ip4:192.0.2.0/33 ~all"}},
        "domains[0].spf.record",
        "ip4:192.0.2.0/33 is not an SPF term",
    ),
    "SPF record over ten look-ups": (
        {"domains[0].spf": {"record": f"v=spf1 {'mx a ptr ' * 3} redirect=_spf.example.org"}},
        "domains[0].spf.record",
        "needs 11 or more",
    ),
    "SPF record of ours that is redirected to itself": (
        {"domains[0].spf": {"record": "v=spf1 redirect=Example.com."}},
        "domains[0].spf.record",
        "remove the loop",
    ),
    "SPF record over-long with what it had": (
        {"domains[0].spf": {"record": f"v=spf1 {' ip6:2001:db8::1' * 70} -all"}},
        "domains[0].spf.record",
        "keep it to 1100",
    ),
    "TXT value that cannot be published": (
        {"domains[0].spf": {"otherTxt": ["bücher"]}},
        "domains[0].spf.otherTxt[0]",
        "printable ASCII",
    ),
    "TXT value over-long": (
        {"domains[0].spf": {"otherTxt": ["x" * 4001]}},
        "domains[0].spf.otherTxt[0]",
        "Route 53 allows 4000",
    ),
    "TXT value twice": (
        {"domains[0].spf": {"otherTxt": ["x", "x"]}},
        "domains[0].spf.otherTxt[0]",
        "listed twice",
    ),
    "brand whose SPF record would be over-long": (
        {
            "elasticIpQuota": 99,
            "proxies[0]": {"name": "proxy-1", "instanceType": "c7g.16xlarge"}
            | {"architecture": "arm64", "addressesPerInterface": 50},
            "sources": [source("proxy-default", "out1")]
            + [source(f"out-{i}", f"out{i}") for i in range(2, 62)],
            "pools[1].sources": {f"out-{i}": 1 for i in range(2, 62)},
        },
        "pools[1].sources",
        "has room for 54 addresses",
    ),
    "brand whose SPF name would be over-long": (
        {"zone": ".".join([LONG] * 4), "brands[0].name": "b" * 30, "domains[0].brand": "b" * 30},
        "brands[0].name",
        "shorten it",
    ),
}
