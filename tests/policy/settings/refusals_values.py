"""Refusals of single values and of keys."""

from tests.policy.settings.good import Refusals

REFUSALS: Refusals = {
    # forms of single values
    "webhook URL that is not HTTPS": (
        {"webhook.url": "http://app.example.com/events"},
        "webhook.url",
        "use https://",
    ),
    "webhook URL without a host": ({"webhook.url": "https:///x"}, "webhook.url", "add the host"),
    "webhook URL to an address": (
        {"webhook.url": "https://192.0.2.1/x"},
        "webhook.url",
        "not a valid name",
    ),
    "webhook URL with a quote": (
        {"webhook.url": "https://app.example.com/'x"},
        "webhook.url",
        "percent-encode",
    ),
    "webhook URL with a password": (
        {"webhook.url": "https://me:pass@app.example.com/"},
        "webhook.url",
        "must not contain a secret",
    ),
    "webhook URL with port 0": (
        {"webhook.url": "https://app.example.com:0/"},
        "webhook.url",
        "1 to 65535",
    ),
    "ACME directory that is not HTTPS": (
        {"certificate.directory": "http://acme.example/dir"},
        "certificate.directory",
        "use https://",
    ),
    "duration as a number": ({"webhook.timeout": 30}, "webhook.timeout", "30s, 5m"),
    "duration without a unit": ({"webhook.timeout": "30"}, "webhook.timeout", "30s, 5m"),
    "number that is none": ({"mta.spoolGib": "big"}, "mta.spoolGib", "whole number"),
    "number below its limit": ({"mta.rootGib": 4}, "mta.rootGib", "8 or more"),
    "number above its limit": ({"mta.spoolIops": 99999}, "mta.spoolIops", "80000 or less"),
    "truth value that is none": ({"protect": "perhaps"}, "protect", "true or false"),
    "text where a table belongs": ({"mta": "c7g.large"}, "mta", "table"),
    "text where a list belongs": ({"pools": "news"}, "pools", "list"),
    "domains that are no list": ({"domains": "example.com"}, "domains", "write a list"),
    "word that is not among those allowed": ({"push": "alway"}, "push", "did you mean always?"),
    "one subnet": ({"network.subnets": ["10.8.0.0/24"]}, "network.subnets[1]", "missing"),
    "date that is none": (
        {"shaping.warmUp": {"out-2": {"start": "tomorrow", "daily": [1]}}},
        "shaping.warmUp.out-2.start",
        "2026-12-01",
    ),
    "name with a blank": ({"pools[1].name": "my news"}, "pools[1].name", "lower-case letters"),
    "e-mail address that is none": ({"operators.emails": ["ops"]}, "operators.emails[0]", "one e-"),
    "allocation id that is none": (
        {"sources[1].allocationId": "192.0.2.1"},
        "sources[1].allocationId",
        "eipalloc-",
    ),
    "image id that is none": ({"mta.ami": "ubuntu"}, "mta.ami", "ami-"),
    "topic that is none": ({"alarms.topic": "operators"}, "alarms.topic", "arn:aws:sns"),
    "zone that is a public suffix": ({"zone": "co.uk"}, "zone", "your own domain"),
    "zone of no top-level domain": (
        {"zone": "mail.example.con"},
        "zone",
        "did you mean mail.example.com?",
    ),
    "domain of no top-level domain": (
        {"domains[0]": "news.example.nte"},
        "domains[0].name",
        "no top-level domain nte",
    ),
    # keys
    "misspelt key": ({"webhok": {}}, "webhok", "did you mean webhook?"),
    "misspelt key of a secret": ({"webhookTokn": "x"}, "webhookTokn", "did you mean webhookToken?"),
    "misspelt key in a table": ({"mta.spolGib": 1}, "mta.spolGib", "did you mean spoolGib?"),
    "misspelt key in a list": ({"pools[1].weights": {}}, "pools[1].weights", "name, sources"),
    "key in snake case": ({"elastic_ip_quota": 9}, "elastic_ip_quota", "elasticIpQuota?"),
    "key in the wrong table": ({"spoolGib": 9}, "spoolGib", "did you mean mta.spoolGib?"),
    "key like no other": ({"zzz": 9}, "zzz", "use one of: "),
    "region beside aws:region": ({"region": "eu-west-1"}, "region", "set aws:region"),
    "unpublished": ({"unpublished": ["a.example"]}, "unpublished", "run `ping8 domains check`"),
    "environment": ({"environment": "prod"}, "environment", "the stack's name"),
}
