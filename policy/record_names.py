"""Names of records: where DKIM, SPF, DMARC and bounces are looked up."""


def dkim(selector: str, domain: str) -> str:
    """Where a DKIM key is looked up (RFC 6376, 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def dkim_target(selector: str, owner: str, zone: str) -> str:
    """Where our zone holds a key of a brand, or of a domain whose DNS is elsewhere.

    A brand's name has no dot and a domain's has, so that the two never meet.
    """
    return f"{selector}.{owner}.dkim.{zone}"


def bounce_target(brand: str, zone: str) -> str:
    """Where our zone holds MX and SPF for the bounce domains of a brand, which are its aliases."""
    return f"{brand}.bounce.{zone}"


def brand_spf(brand: str, zone: str) -> str:
    """The name of a brand's SPF record."""
    return f"{brand}._spf.{zone}"


def dmarc(domain: str) -> str:
    """Where the DMARC record of a domain is looked up (RFC 7489, 6.1)."""
    return f"_dmarc.{domain}"


def dmarc_reports(receiver: str) -> str:
    """Where a receiver of DMARC reports consents to those about other domains (RFC 7489, 7.1)."""
    return f"*._report._dmarc.{receiver}"
