"""Names of records: where DKIM, SPF, DMARC and bounces are looked up."""


def dkim(selector: str, domain: str) -> str:
    """Where a DKIM key is looked up (RFC 6376, 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def dkim_target(selector: str, domain: str, zone: str) -> str:
    """Where our zone holds the key of a domain whose DNS is elsewhere."""
    return f"{selector}.{domain}.dkim.{zone}"


def bounce_target(domain: str, zone: str) -> str:
    """Where our zone holds the bounce domain of a domain whose DNS is elsewhere."""
    return f"{domain}.bounce.{zone}"


def brand_spf(brand: str, zone: str) -> str:
    """The name of a brand's SPF record."""
    return f"{brand}._spf.{zone}"


def dmarc(domain: str) -> str:
    """Where the DMARC record of a domain is looked up (RFC 7489, 6.1)."""
    return f"_dmarc.{domain}"


def dmarc_reports(receiver: str) -> str:
    """Where a receiver of DMARC reports consents to those about other domains (RFC 7489, 7.1)."""
    return f"*._report._dmarc.{receiver}"
