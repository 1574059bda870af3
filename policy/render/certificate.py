"""The injection host's certificate: configured, or issued on the host by its own units."""

from policy.contract import SPOOL
from policy.errors import UserError
from policy.release import Directory, ReleaseFile
from policy.render.nginx import RELOAD
from policy.render.templates import template_file
from policy.secrets import MtaSecrets
from policy.settings import Settings

_SYSTEM = "/etc/systemd/system"
TIMER = "ping8-certificate.timer"
KEPT = f"{SPOOL}/certificate"
"""Where an issued pair survives a replacement of the host."""


def certificate_files(
    settings: Settings, host: str, secrets: MtaSecrets
) -> tuple[ReleaseFile, ...]:
    """A configured pair, or units that issue and renew one and self-sign until then."""
    certificate = settings.certificate
    if certificate.kind == "given":
        return _given(certificate.chain, secrets.certificate_key)
    files = [
        template_file(
            "mta",
            "/usr/local/lib/ping8/certificate",
            mode=0o755,
            values={
                "host_name": settings.injection_host,
                "own_name": settings.full_name(host),
                "directory": _quotable("certificate.directory", certificate.directory),
                "contact": _contact(certificate.email),
                "kept": KEPT,
            },
        ),
        template_file("mta", f"{_SYSTEM}/ping8-self-signed.service"),
    ]
    if certificate.kind == "acme":
        files += [
            template_file("mta", f"{_SYSTEM}/ping8-certificate.service", values={"kept": KEPT}),
            template_file("mta", f"{_SYSTEM}/{TIMER}", effects=(f"restart {TIMER}",)),
        ]
    return tuple(files)


def certificate_directories(settings: Settings) -> tuple[Directory, ...]:
    """Where certificates are; certbot's directories exist before its sandboxed unit first runs."""
    paths = ["/etc/ping8/tls"]
    if settings.certificate.kind == "acme":
        paths += [KEPT, "/etc/letsencrypt", "/var/lib/letsencrypt", "/var/log/letsencrypt"]
    return tuple(Directory(path=path, mode=0o700, owner="root", group="root") for path in paths)


def _given(chain: str | None, key: str | None) -> tuple[ReleaseFile, ...]:
    if not chain or not key:
        raise UserError(
            "certificate: kind is `given`, so its chain and the secret certificateKey are needed"
        )
    pair = (("fullchain.pem", chain, 0o644, False), ("privkey.pem", key, 0o600, True))
    return tuple(
        ReleaseFile(
            path=f"/etc/ping8/tls/{name}",
            content=f"{text.strip()}\n".encode(),
            mode=mode,
            secret=secret,
            effects=RELOAD,
        )
        for name, text, mode, secret in pair
    )


def _contact(email: str | None) -> str:
    if email is None:
        return "--register-unsafely-without-email"
    return f"--email '{_quotable('certificate.email', email)}'"


def _quotable(name: str, text: str) -> str:
    if "'" in text or not text.isprintable() or " " in text:
        raise UserError(f"{name}: {text!r} contains a quote, a space or a control character")
    return text
