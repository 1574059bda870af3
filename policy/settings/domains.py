"""Sender domains: the domains of From headers, with their keys and DNS."""

from typing import Annotated, Literal

from pydantic import Field

from policy.contract import ED25519_SUFFIX
from policy.settings.base import Email, HostName, Label, Model, Name, unit
from policy.settings.spf_terms import SpfDomain, SpfRecord, merged
from policy.settings.txt import TxtValue

RSA_BITS = (2048, 3072, 4096)
"""Receivers ignore RSA under 1024 bits, distrust it under 2048, and few verify over 4096."""


class Dkim(Model):
    """Two selectors are published from the start: one signs, the other is the next key."""

    selectors: tuple[Label, Label] = Field(
        default=("s1", "s2"), description="The two published selectors."
    )
    active: Label | None = Field(
        default=None, description="The selector that signs; by default the first.", examples=["s2"]
    )
    bits: Annotated[int, unit("bits")] = Field(
        default=2048,
        description="Size of RSA keys, in bits: 2048, 3072 or 4096; 2048 signs fastest.",
    )
    ed25519: bool = Field(
        default=False,
        description=f"Also sign with Ed25519 (RFC 8463); its selectors end in `{ED25519_SUFFIX}`.",
    )


class Dmarc(Model):
    """The DMARC record (RFC 7489)."""

    publish: bool = Field(
        default=True,
        description="Publish the record; false where the domain has one of its own, or inherits a "
        "stricter one.",
    )
    policy: Literal["none", "quarantine", "reject"] = Field(
        default="none", description="What receivers should do with mail that fails DMARC."
    )
    subdomain_policy: Literal["none", "quarantine", "reject"] | None = Field(
        default=None,
        description="The same for subdomains; by default as `policy`.",
        examples=["reject"],
    )
    report: Email | None = Field(
        default=None,
        description="E-mail address for aggregate reports.",
        examples=["dmarc@example.com"],
    )


class Spf(Model):
    """SPF at the sender domain itself. Its TXT record set becomes ours: list all other values."""

    record: SpfRecord | None = Field(
        default=None,
        description="The SPF record that the domain has today; its terms are kept, and ours comes "
        "before them.",
        examples=["v=spf1 ip4:192.0.2.0/24 mx include:_spf.google.com ~all"],
    )
    include: tuple[SpfDomain, ...] = Field(
        default=(), description="Further senders to include.", examples=[["_spf.google.com"]]
    )
    other_txt: tuple[TxtValue, ...] = Field(
        default=(),
        description="Every other TXT value of that name, so that none is lost; also as consoles "
        'show it: in quotes, in several strings, with `\\"`.',
        examples=[["google-site-verification=abc"]],
    )


class DomainDefaults(Model):
    """Defaults of sender domains. A domain's own tables are merged into these."""

    brand: Name | None = Field(default=None, description="As in `domains`.", examples=["news"])
    zone: HostName | None = Field(
        default=None, description="As in `domains`.", examples=["example.com"]
    )
    dkim: Dkim = Field(default=Dkim(), description="As in `domains`.")
    dmarc: Dmarc = Field(default=Dmarc(), description="As in `domains`.")
    spf: Spf | None = Field(
        default=None,
        description="As in `domains`.",
        examples=[{"include": ["_spf.google.com"]}],
    )


class SenderDomain(Model):
    """A domain that PING8 sends from."""

    name: HostName = Field(description="The domain of the From header.", examples=["example.com"])
    brand: Name = Field(default="default", description="The brand whose reputation it uses.")
    zone: HostName | None = Field(
        default=None,
        description="Route 53 zone that holds it; unless set: ours when the domain lies in it, "
        "else its DNS is elsewhere and `records_to_publish` says what its owner publishes.",
        examples=["example.com"],
    )
    dkim: Dkim = Field(default=Dkim(), description="Signing keys.")
    dmarc: Dmarc = Field(default=Dmarc(), description="The DMARC record.")
    spf: Spf | None = Field(
        default=None,
        description="SPF at the domain itself; by default no record.",
        examples=[{"include": ["_spf.google.com"]}],
    )
    bounce: HostName | None = Field(
        default=None,
        description="Envelope sender domain; by default `bounce.<domain>`.",
        examples=["returns.example.com"],
    )
    feedback: HostName | None = Field(
        default=None,
        description="Domain that takes abuse reports; the bounce domain unless set. Several "
        "domains may share one. One of its own is one record more: a ninth where a domain also "
        "has SPF and Ed25519 keys.",
        examples=["complaints.example.com"],
    )

    @property
    def bounce_domain(self) -> str:
        """The domain of the envelope sender."""
        return self.bounce or f"bounce.{self.name}"

    @property
    def feedback_domain(self) -> str:
        """The domain for abuse reports (ARF, RFC 5965)."""
        return self.feedback or self.bounce_domain

    def spf_terms(self, brand_record: str) -> tuple[str, ...]:
        """The terms of the domain's own SPF record and the brand's; none if it has no record."""
        if self.spf is None:
            return ()
        return merged((brand_record, *self.spf.include), self.spf.record)

    @property
    def active_selector(self) -> str:
        """The selector that signs."""
        return self.dkim.active or self.dkim.selectors[0]

    def selectors(self) -> tuple[tuple[str, Literal["rsa", "ed25519"]], ...]:
        """Every published selector with the kind of its key."""
        kinds: list[tuple[str, Literal["rsa", "ed25519"]]] = []
        kinds += [(selector, "rsa") for selector in self.dkim.selectors]
        if self.dkim.ed25519:
            kinds += [
                (f"{selector}{ED25519_SUFFIX}", "ed25519") for selector in self.dkim.selectors
            ]
        return tuple(kinds)

    def signing_selectors(self) -> tuple[tuple[str, Literal["rsa", "ed25519"]], ...]:
        """Those of `selectors` whose keys sign."""
        active = (self.active_selector, f"{self.active_selector}{ED25519_SUFFIX}")
        return tuple(each for each in self.selectors() if each[0] in active)
