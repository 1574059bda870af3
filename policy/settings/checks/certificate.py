"""The certificate of the injection host."""

from collections.abc import Iterator

from cryptography import x509

from policy.settings import names
from policy.settings.checks.rule import check
from policy.settings.model import Settings
from policy.settings.problems import Finding


def covers(certificate: x509.Certificate, host: str) -> bool:
    """Whether a certificate names the host, itself or by a wildcard (RFC 6125)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False
    wildcard = f"*.{host.partition('.')[2]}"
    stated = (name.lower() for name in extension.value.get_values_for_type(x509.DNSName))
    return any(name in {host, wildcard} for name in stated)


@check("certificate")
def chain_goes_with_kind(settings: Settings) -> Iterator[Finding]:
    """A configured chain must be used, and a chain that is needed must be configured."""
    certificate = settings.certificate
    if certificate.kind == "given" and certificate.chain is None:
        yield Finding(
            path=("certificate", "chain"),
            fix="`kind: given` needs the chain in PEM here, and its key as the secret "
            "certificateKey",
        )
    if certificate.kind != "given" and certificate.chain is not None:
        yield Finding(
            path=("certificate", "kind"),
            value=certificate.kind,
            fix="this chain would not be used: set `kind: given`, or remove the chain",
        )


@check("certificate", "zone", "mta")
def chain_is_for_our_host(settings: Settings) -> Iterator[Finding]:
    """The chain must begin with the host's own certificate."""
    chain = settings.certificate.chain
    if chain is None:
        return
    path = ("certificate", "chain")
    try:
        leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    except ValueError:
        yield Finding(
            path=path,
            fix="write certificates in PEM, the host's own first: "
            "-----BEGIN CERTIFICATE----- and so on",
        )
        return
    if not covers(leaf, settings.injection_host):
        yield Finding(
            path=path,
            fix=f"its first certificate does not name {settings.injection_host}: use the chain of "
            "that name",
        )


@check("certificate", "zone", "mta")
def common_name_fits(settings: Settings) -> Iterator[Finding]:
    """A certificate's first name has at most 64 characters (RFC 5280, ub-common-name)."""
    longest, name = 64, settings.injection_host
    if settings.certificate.kind == "acme" and len(name) > longest:
        yield Finding(
            path=("mta", "hostName"),
            value=settings.mta.host_name,
            fix=f"{name[: names.LONGEST_LABEL]}... has {len(name)} characters; a common name has "
            f"at most {longest}: shorten it or the zone",
        )
