"""Refusals of the webhook, the certificate and what operators set."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.policy.settings.good import Refusals


def certificate_for(host: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    day = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    return (
        x509.CertificateBuilder(name, name, key.public_key(), 1, day, day.replace(year=2027))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )


REFUSALS: Refusals = {
    # webhook
    "events of the contract left out": (
        {"webhook.leaveOut": ["Bounce"]},
        "webhook.leaveOut[0]",
        "promises these events",
    ),
    "unknown record type left out": (
        {"webhook.leaveOut": ["Recption"]},
        "webhook.leaveOut[0]",
        "did you mean Reception?",
    ),
    "events that live less than seven days": (
        {"webhook.maxEventAge": "6d"},
        "webhook.maxEventAge",
        "7d or more",
    ),
    "events that are too old to move between nodes": (
        {"webhook.maxEventAge": "8d", "mta": {"nodes": 2}, "elasticIpQuota": 20},
        "webhook.maxEventAge",
        "use 7d at most",
    ),
    "mail that is too old to move between nodes": (
        {"brands[0].maxAge": "8d", "mta": {"nodes": 2}, "elasticIpQuota": 20},
        "brands[0].maxAge",
        "use 7d at most",
    ),
    "webhook that waits longer than its longest wait": (
        {"webhook.retryInterval": "1h"},
        "webhook.retryInterval",
        "no longer than maxRetryInterval",
    ),
    "webhook whose longest wait outlives events": (
        {"webhook.maxRetryInterval": "30d"},
        "webhook.maxRetryInterval",
        "no longer than maxEventAge",
    ),
    "webhook that may hang": ({"webhook.timeout": "1h"}, "webhook.timeout", "5m or less"),
    "failure field that is no field": (
        {"webhook.failureField": "a b"},
        "webhook.failureField",
        "J",
    ),
    # certificate
    "given certificate without its chain": (
        {"certificate": {"kind": "given"}},
        "certificate.chain",
        "needs the chain",
    ),
    "chain that would not be used": (
        {"certificate": {"chain": certificate_for("mta.mail.example.com")}},
        "certificate.kind",
        "would not be used",
    ),
    "chain that is none": (
        {"certificate": {"kind": "given", "chain": "x"}},
        "certificate.chain",
        "in PEM",
    ),
    "chain of another host": (
        {"certificate": {"kind": "given", "chain": certificate_for("www.example.com")}},
        "certificate.chain",
        "does not name mta.mail.example.com",
    ),
    "host name over-long for a certificate": (
        {"mta.hostName": "a" * 60},
        "mta.hostName",
        "common name has at most 64",
    ),
    # operators
    "no operators": ({"operators.cidrs": []}, "operators.cidrs", "networks that may log in"),
    "SSH open to the world": (
        {"operators.cidrs": ["0.0.0.0/0"]},
        "operators.cidrs[0]",
        "not be open to the world",
    ),
    "SSH open to half the world": (
        {"operators.cidrs": ["128.0.0.0/1"]},
        "operators.cidrs[0]",
        "/16",
    ),
    "operators' network twice": (
        {"operators.cidrs": ["198.51.100.7", "198.51.100.7/32"]},
        "operators.cidrs[1]",
        "already listed",
    ),
    "operators' network of IPv6": (
        {"operators.cidrs": ["2001:db8::/64"]},
        "operators.cidrs[0]",
        "only supports IPv4",
    ),
    "more networks than a security group takes": (
        {"operators.cidrs": [f"198.51.100.{i}" for i in range(51)]},
        "operators.cidrs",
        "50 or fewer",
    ),
    "SSH key that is none": (
        {"operators.sshKeys": ["ssh-ed25519 AAAA me"]},
        "operators.sshKeys[0]",
        ".pub file",
    ),
    # shaping
    "warm-up of an unknown source": (
        {"shaping.warmUp": {"out-9": {"start": "2026-12-01", "daily": [1]}}},
        "shaping.warmUp.out-9",
        "did you mean out-2?",
    ),
    "warm-up without days": (
        {"shaping.warmUp": {"out-2": {"start": "2026-12-01", "daily": []}}},
        "shaping.warmUp.out-2.daily",
        "1 or more values",
    ),
    "shaping of an unknown source": (
        {"shaping.overrides": {"gmail.com": {"sources": {"out-9": {"connection_limit": 1}}}}},
        "shaping.overrides.gmail.com.sources.out-9",
        "did you mean out-2?",
    ),
    "shaping of what is no domain": (
        {"shaping.overrides": {"gmail": {"connection_limit": 1}}},
        "shaping.overrides.gmail",
        "full name",
    ),
    "shaping of a domain that --path divided": (
        {"shaping.overrides": {"gmail": {"com": {"connection_limit": 1}}}},
        "shaping.overrides.gmail",
        'set ping8-mail:shaping.overrides["gmail.com"], in brackets and quotes',
    ),
    "shaping against the contract": (
        {"shaping.overrides": {"default": {"smtp_port": 587}}},
        "shaping.overrides.default.smtp_port",
        "every path has 25",
    ),
    "shaping key that KumoMTA does not have": (
        {"shaping.overrides": {"gmail.com": {"max_message_rat": "1/s"}}},
        "shaping.overrides.gmail.com.max_message_rat",
        "did you mean max_message_rate?",
    ),
    "shaping key of a domain in the table of a source": (
        {"shaping.overrides": {"gmail.com": {"sources": {"out-2": {"mx_rollup": True}}}}},
        "shaping.overrides.gmail.com.sources.out-2.mx_rollup",
        "no such key",
    ),
    "rate that is none": (
        {"shaping.overrides": {"gmail.com": {"max_message_rate": "100 a minute"}}},
        "shaping.overrides.gmail.com.max_message_rate",
        "100/min",
    ),
    "rate of nothing": (
        {"shaping.overrides": {"gmail.com": {"max_message_rate": "0/s"}}},
        "shaping.overrides.gmail.com.max_message_rate",
        "100/min",
    ),
    "rate of a provider that is none": (
        {"shaping.overrides": {"provider": {"x": {"provider_max_message_rate": 5}}}},
        "shaping.overrides.provider.x.provider_max_message_rate",
        "100/min",
    ),
    "further rate that is none": (
        {"shaping.overrides": {"gmail.com": {"additional_message_rate_throttles": {"a": "1"}}}},
        "shaping.overrides.gmail.com.additional_message_rate_throttles.a",
        "100/min",
    ),
    "limit that is none": (
        {"shaping.overrides": {"default": {"connection_limit": "five"}}},
        "shaping.overrides.default.connection_limit",
        "whole number",
    ),
    "limit of nothing": (
        {"shaping.overrides": {"default": {"connection_limit": 0}}},
        "shaping.overrides.default.connection_limit",
        "above 0",
    ),
    "another port for one domain": (
        {"shaping.overrides": {"gmail.com": {"smtp_port": 587}}},
        "shaping.overrides.gmail.com.smtp_port",
        "only port 25",
    ),
    "another port for one source": (
        {"shaping.overrides": {"gmail.com": {"sources": {"out-2": {"smtp_port": 26}}}}},
        "shaping.overrides.gmail.com.sources.out-2.smtp_port",
        "only port 25",
    ),
    "warm-up that shrinks": (
        {"shaping.warmUp": {"out-2": {"start": "2026-12-01", "daily": [100, 1000, 200]}}},
        "shaping.warmUp.out-2.daily[2]",
        "allows 1000",
    ),
    # alarms and tags
    "topic of another region": (
        {"alarms.topic": "arn:aws:sns:eu-west-1:123456789012:operators"},
        "alarms.topic",
        "topic in eu-central-1",
    ),
    "disk alarm after kumod refuses": (
        {"alarms.diskFreeCritical": 10},
        "alarms.diskFreeCritical",
        "more than 10",
    ),
    "disk warning after the alarm": (
        {"alarms.diskFreeWarning": 15},
        "alarms.diskFreeWarning",
        "more than diskFreeCritical",
    ),
    "metrics sent too often": ({"alarms.interval": "10s"}, "alarms.interval", "1m or more"),
    "metrics sent too seldom": ({"alarms.interval": "10m"}, "alarms.interval", "5m or less"),
    "an alarm over more than a day": (
        {"alarms.noDelivery": "2d"},
        "alarms.noDelivery",
        "1m to 24h",
    ),
    "a forecast beyond what hosts tell": (
        {"alarms.fullWithin": "30d"},
        "alarms.fullWithin",
        "29d or less",
    ),
    "logs shipped nowhere": ({"logs.ship": True}, "logs.bucket", "set the name of the bucket"),
    "bucket name that is none": (
        {"logs.ship": True, "logs.bucket": "Example_Logs"},
        "logs.bucket",
        "lower-case letters",
    ),
    "tag of Amazon's": ({"tags": {"aws:x": "y"}}, "tags.aws:x", "are reserved"),
    "tag that is over-long": ({"tags": {"x": "y" * 257}}, "tags.x", "256 in a value"),
    "tag with a strange character": ({"tags": {"x": "<y>"}}, "tags.x", "letters, digits"),
    "tag that is a number": ({"tags": {"x": 42}}, "tags.x", "in quotes"),
    "tag of each resource's own": ({"tags": {"Name": "x"}}, "tags.Name", "choose another key"),
    "more tags than AWS takes": (
        {"tags": {f"t{i}": "x" for i in range(41)}},
        "tags",
        "40 or fewer",
    ),
}
