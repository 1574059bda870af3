"""Sender domains: the domains of From headers, with their keys and DNS."""

from typing import Literal

from pydantic import Field

from policy.settings.base import Email, HostName, Model, Name
from policy.settings.dkim import DkimKeys
from policy.settings.spf_terms import SpfDomain, SpfRecord, merged
from policy.settings.txt import TxtValue


class Dkim(DkimKeys):
    """Whose keys sign: the domain's own, or its brand's, which all its domains share."""

    keys: Literal["domain", "brand"] = Field(
        default="domain",
        description="`domain`: keys of its own. `brand`: the keys of its brand (`brands[].dkim`), "
        "which cost no resource a domain; the other values here are then the brand's.",
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


def default_bounce(name: str) -> str:
    """The envelope sender domain of a sender domain that names none."""
    return f"bounce.{name}"


WhenUnpublished = Literal["refuse", "hold", "sign-anyway"]


class DomainDefaults(Model):
    """Defaults of sender domains. A domain's own tables are merged into these."""

    brand: Name | None = Field(default=None, description="As in `domains`.", examples=["news"])
    zone: HostName | None = Field(
        default=None, description="As in `domains`.", examples=["example.com"]
    )
    when_unpublished: WhenUnpublished = Field(default="hold", description="As in `domains`.")
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
        "else its DNS is elsewhere and `ping8 dns` shows what its owner publishes.",
        examples=["example.com"],
    )
    when_unpublished: WhenUnpublished = Field(
        default="hold",
        description="What happens while `ping8 domains check` has not seen in DNS what its mail "
        "needs from its owner: the keys that sign and the bounce domain. `hold`: injection is "
        "refused for now (451). `refuse`: no update until then. `sign-anyway`: it may send. "
        "Domains in Route 53 only wait for a zone that was seen not to be delegated.",
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
        "domains may share one. One of its own is one record more.",
        examples=["complaints.example.com"],
    )

    @property
    def bounce_domain(self) -> str:
        """The domain of the envelope sender."""
        return self.bounce or default_bounce(self.name)

    @property
    def feedback_domain(self) -> str:
        """The domain for abuse reports (ARF, RFC 5965)."""
        return self.feedback or self.bounce_domain

    @property
    def has_own_keys(self) -> bool:
        """Whether DKIM keys of its own sign its mail; otherwise its brand's do."""
        return self.dkim.keys == "domain"

    @property
    def key_owner(self) -> str:
        """The name of the owner of its DKIM keys: itself or its brand."""
        return self.name if self.has_own_keys else self.brand

    def spf_terms(self, brand_record: str) -> tuple[str, ...]:
        """The terms of the domain's own SPF record and the brand's; none if it has no record."""
        if self.spf is None:
            return ()
        return merged((brand_record, *self.spf.include), self.spf.record)
