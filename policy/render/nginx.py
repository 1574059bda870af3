"""Nginx on the MTA host: the site, and the tokens that it accepts."""

import re

from hostagent.contract import DRAINING, HEALTH_PATH, NGINX_CONF, REFUSING
from policy.errors import UserError
from policy.release import ReleaseFile
from policy.render.templates import template_file
from policy.secrets import MtaSecrets
from policy.settings import Settings

RELOAD = ("reload nginx.service",)
TOKEN_FILE = "/etc/nginx/ping8/authorization"  # noqa: S105 - a path
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{20,256}")


def nginx_files(settings: Settings, host: str, secrets: MtaSecrets) -> tuple[ReleaseFile, ...]:
    """Nginx's configuration, the site and its tokens."""
    self_signing = settings.certificate.kind != "given"
    wants = "ping8-self-signed.service" if self_signing else "network-online.target"
    return (
        template_file("mta", NGINX_CONF, effects=RELOAD),
        template_file(
            "mta",
            "/etc/nginx/sites-enabled/ping8.conf",
            effects=RELOAD,
            values={
                "host_names": f"{settings.injection_host} {settings.full_name(host)}",
                "max_message_mib": settings.reception.max_message_mib,
                "requests_per_second": settings.reception.requests_per_second,
                "health_path": HEALTH_PATH,
                "draining": DRAINING,
                "refusing": REFUSING,
            },
        ),
        template_file(
            "mta",
            "/etc/nginx/ping8/tokens.conf",
            mode=0o600,
            secret=True,
            effects=RELOAD,
            values={"tokens": _tokens(secrets)},
        ),
        # The header's value, which the host's health check sends.
        ReleaseFile(
            path=TOKEN_FILE,
            content=f"Bearer {secrets.injection_token}\n".encode(),
            mode=0o600,
            secret=True,
        ),
        template_file(
            "mta",
            "/etc/systemd/system/nginx.service.d/ping8.conf",
            effects=("restart nginx.service",),
            values={"wants": wants},
        ),
    )


def _tokens(secrets: MtaSecrets) -> str:
    keys = [_key("injectionToken", secrets.injection_token, "current")]
    if secrets.previous_injection_token:
        keys.append(_key("previousInjectionToken", secrets.previous_injection_token, "previous"))
    return "\n".join(keys)


def _key(name: str, token: str, value: str) -> str:
    """The scheme's name is case-insensitive (RFC 9110), the token is not."""
    if not _TOKEN.fullmatch(token):
        raise UserError(
            f"{name}: a bearer token has 20 to 256 of A-Z a-z 0-9 . _ ~ + / = - (RFC 6750)"
        )
    exact = re.sub(r"[.+]", r"[\g<0>]", token)
    return f'    "~^(?i:bearer) {exact}$" {value};'
