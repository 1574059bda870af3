"""Faults of DNS: each changes what the world's name server says, and nothing else."""

import base64
import contextlib
from collections.abc import Iterator

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from standins.pulumi.hosts import Record, Zone
from tests.sandbox.e2e.doctor_faults import (
    FAIL,
    MTA_NAME,
    NEWS,
    REFRESH,
    SHOP,
    UNKNOWN,
    WARN,
    Faults,
    bulk,
)
from tests.sandbox.e2e.doctor_site import BLOCK_LIST, Records, Site
from tests.sandbox.records import text_value

faults = Faults()
ELSEWHERE = "192.0.2.99"
BOUNCE = "default.bounce.mail.ping8.test"
"""What the bounce domains of the brand `default` are aliases of."""
DKIM = ("domain.dkim-record", "domain.dkim-key", "domain.dkim-length")


def _with(site: Site, changes: Records) -> Iterator[Site]:
    with site.records(changes):
        yield site


def _mta(site: Site) -> str:
    return site.deployment.mta.address


def _key(bits: int) -> str:
    der = (
        rsa.generate_private_key(65537, bits)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return text_value(f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}")


# Egress -----------------------------------------------------------------------


@faults.fault(
    {("egress.address", "proxy-default"): FAIL, **bulk(NEWS, only=("gmail", "yahoo"))},
    f"{REFRESH}; if the zone is not delegated",
)
def _ehlo_name_with_another_address(site: Site) -> Iterator[Site]:
    yield from _with(site, {("out1.mail.ping8.test", "A"): [ELSEWHERE]})


@faults.fault(
    {("egress.reverse-dns", "proxy-default"): FAIL, **bulk(NEWS, only=("gmail", "yahoo"))},
    "aws ec2 describe-addresses-attribute",
)
def _wrong_ptr(site: Site) -> Iterator[Site]:
    reverse = ".".join(reversed(site.deployment.egress["proxy-default"].public.split(".")))
    with site.pointers({(f"{reverse}.in-addr.arpa", "PTR"): ["ec2.compute.amazonaws.com."]}):
        yield site


@faults.fault({("egress.spf", "out-2"): FAIL})
def _ehlo_spf_of_the_mta(site: Site) -> Iterator[Site]:
    record = f'"v=spf1 ip4:{_mta(site)} -all"'
    yield from _with(site, {("out2.mail.ping8.test", "TXT"): [record]})


@faults.fault({("egress.block-lists", "out-2"): FAIL}, "ask the list to remove the address")
def _address_on_a_block_list(site: Site) -> Iterator[Site]:
    reverse = ".".join(reversed(site.deployment.egress["out-2"].public.split(".")))
    record = Record(name=f"{reverse}.{BLOCK_LIST}", type="A", values=("127.0.0.2",))
    with site.zones(Zone(name=BLOCK_LIST, records=(record,))):
        yield site


# The zone ---------------------------------------------------------------------


@faults.fault({("zone.delegation", "mail.ping8.test"): WARN}, "the owner of ping8.test publishes")
def _zone_with_a_dead_name_server(site: Site) -> Iterator[Site]:
    address = Record(name="ns2.dead.example", type="A", values=("198.51.100.29",))
    servers = ["ns.sandbox.test.", "ns2.dead.example."]
    with (
        site.zones(Zone(name="dead.example", records=(address,))),
        site.records({("mail.ping8.test", "NS"): servers}),
    ):
        yield site


@faults.fault({("mta.caa", MTA_NAME): FAIL}, f"{MTA_NAME}. CAA 0 issue")
def _caa_that_forbids_every_authority(site: Site) -> Iterator[Site]:
    yield from _with(site, {("ping8.test", "CAA"): ['0 issue ";"']})


# Onboarding -------------------------------------------------------------------


@faults.fault({("domain.held", SHOP): FAIL}, "ping8 domains check --stack sandbox")
def _domain_whose_records_nobody_has_seen(site: Site) -> Iterator[Site]:
    yield site.with_settings(unpublished=[SHOP])


# SPF and bounces --------------------------------------------------------------


@faults.fault({("domain.spf", NEWS): FAIL, **bulk(NEWS)})
def _spf_of_the_mta(site: Site) -> Iterator[Site]:
    record = f'"v=spf1 ip4:{_mta(site)} -all"'
    yield from _with(site, {("default._spf.mail.ping8.test", "TXT"): [record]})


@faults.fault({("domain.spf", NEWS): FAIL, ("domain.spf-limits", NEWS): FAIL, **bulk(NEWS)})
def _two_spf_records(site: Site) -> Iterator[Site]:
    records = ['"v=spf1 include:default._spf.mail.ping8.test -all"', '"v=spf1 mx -all"']
    yield from _with(site, {(BOUNCE, "TXT"): records})


@faults.fault({("domain.spf-limits", NEWS): FAIL}, "remove domains from spf.include")
def _eleven_look_ups(site: Site) -> Iterator[Site]:
    others = " ".join(["include:shop._spf.mail.ping8.test"] * 10)
    record = text_value(f"v=spf1 include:default._spf.mail.ping8.test {others} -all")
    yield from _with(site, {(BOUNCE, "TXT"): [record]})


@faults.fault({("domain.spf-limits", NEWS): FAIL}, "remove domains from spf.include")
def _three_void_look_ups(site: Site) -> Iterator[Site]:
    voids = " ".join(f"a:n{n}.mail.ping8.test" for n in range(3))
    record = text_value(f"v=spf1 include:default._spf.mail.ping8.test {voids} -all")
    yield from _with(site, {(BOUNCE, "TXT"): [record]})


@faults.fault({("domain.bounce", SHOP): FAIL})
def _bounces_to_another_server(site: Site) -> Iterator[Site]:
    yield from _with(site, {("shop.bounce.mail.ping8.test", "MX"): ["10 mx.accept.example."]})


@faults.fault(
    {
        ("domain.bounce", NEWS): FAIL,
        ("domain.bounce", SHOP): FAIL,
    }
)
def _host_of_bounces_with_another_address(site: Site) -> Iterator[Site]:
    name = site.deployment.settings.full_name(site.deployment.mta.name)
    yield from _with(site, {(name, "A"): [ELSEWHERE]})


@faults.fault({("mta.address", MTA_NAME): FAIL})
def _mta_name_with_another_address(site: Site) -> Iterator[Site]:
    yield from _with(site, {(MTA_NAME, "A"): [ELSEWHERE]})


# DKIM -------------------------------------------------------------------------


@faults.fault(
    {
        ("domain.dkim-record", f"{SHOP} s1"): FAIL,
        ("domain.dkim-key", f"{SHOP} s1"): UNKNOWN,
        ("domain.dkim-length", f"{SHOP} s1"): UNKNOWN,
        **bulk(SHOP),
    }
)
def _no_key_of_the_selector_that_signs(site: Site) -> Iterator[Site]:
    yield from _with(site, {("s1.shop.dkim.mail.ping8.test", "TXT"): []})


@faults.fault(
    {
        ("domain.dkim-record", f"{SHOP} s2"): FAIL,
        ("domain.dkim-key", f"{SHOP} s2"): UNKNOWN,
        ("domain.dkim-length", f"{SHOP} s2"): UNKNOWN,
    }
)
def _broken_key_of_the_next_selector(site: Site) -> Iterator[Site]:
    yield from _with(site, {("s2.shop.dkim.mail.ping8.test", "TXT"): ['"v=DKIM1; k=rsa; p=AAAA"']})


@faults.fault({("domain.dkim-key", f"{NEWS} s1"): FAIL, **bulk(NEWS)})
def _another_published_key(site: Site) -> Iterator[Site]:
    yield from _with(site, {(f"s1._domainkey.{NEWS}", "TXT"): [_key(2048)]})


@faults.fault(
    {
        ("domain.dkim-length", f"{NEWS} s1"): FAIL,
        ("domain.dkim-key", f"{NEWS} s1"): FAIL,
        **bulk(NEWS),
    },
    "give the domain new selectors",
)
def _short_published_key(site: Site) -> Iterator[Site]:
    yield from _with(site, {(f"s1._domainkey.{NEWS}", "TXT"): [_key(1024)]})


# DMARC ------------------------------------------------------------------------


@faults.fault(
    {("domain.dmarc", SHOP): FAIL, ("domain.report-address", SHOP): UNKNOWN, **bulk(SHOP)}
)
def _no_dmarc_record(site: Site) -> Iterator[Site]:
    yield from _with(site, {(f"_dmarc.{SHOP}", "TXT"): []})


@faults.fault({("domain.dmarc", SHOP): WARN})
def _weaker_dmarc_policy(site: Site) -> Iterator[Site]:
    yield from _with(site, {(f"_dmarc.{SHOP}", "TXT"): ['"v=DMARC1; p=none"']})


@faults.fault({("domain.alignment", SHOP): WARN}, "without aspf=s")
def _strict_alignment(site: Site) -> Iterator[Site]:
    yield from _with(site, {(f"_dmarc.{SHOP}", "TXT"): ['"v=DMARC1; p=reject; aspf=s"']})


@faults.fault(
    {("domain.report-address", SHOP): WARN},
    f"the owner of accept.example publishes: {SHOP}._report._dmarc.accept.example. 3600 IN TXT",
)
def _reports_to_a_stranger(site: Site) -> Iterator[Site]:
    record = '"v=DMARC1; p=reject; rua=mailto:dmarc@accept.example"'
    yield from _with(site, {(f"_dmarc.{SHOP}", "TXT"): [record]})


# Zones ------------------------------------------------------------------------


@faults.fault(
    {("domain.dnssec", NEWS): FAIL, ("domain.dnssec", SHOP): FAIL},
    "makes the DS record at the parent match",
)
def _signature_at_the_parent_without_keys(site: Site) -> Iterator[Site]:
    record = Record(name="ping8.test", type="DS", values=(f"12345 13 2 {'ab' * 32}",))
    with site.zones(Zone(name="", records=(record,))):
        yield site


@faults.fault({("domain.mta-sts", NEWS): FAIL}, "first publish mode: none")
def _mta_sts_without_a_policy(site: Site) -> Iterator[Site]:
    yield from _with(site, {(f"_mta-sts.{NEWS}", "TXT"): ['"v=STSv1; id=1"']})


@faults.fault({("domain.mta-sts", NEWS): FAIL}, "first publish mode: none")
def _broken_tls_report_record(site: Site) -> Iterator[Site]:
    yield from _with(site, {(f"_smtp._tls.{NEWS}", "TXT"): ['"v=TLSRPTv1; nothing"']})


@faults.fault(
    {("domain.name-servers", NEWS): FAIL, ("domain.name-servers", SHOP): FAIL}, "dig +trace NS"
)
def _name_server_that_is_dead(site: Site) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        address = Record(name="ns2.dead.example", type="A", values=("198.51.100.29",))
        stack.enter_context(site.zones(Zone(name="dead.example", records=(address,))))
        servers = ["ns.sandbox.test.", "ns2.dead.example."]
        stack.enter_context(site.records({("ping8.test", "NS"): servers}))
        yield site
