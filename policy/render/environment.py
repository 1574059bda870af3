"""Environment files as systemd reads them (`EnvironmentFile=`), and those of both hosts."""

from collections.abc import Mapping

from policy.addresses import Addresses
from policy.contract import ENVIRONMENT, SOCKS_USER
from policy.errors import UserError
from policy.release import ReleaseFile
from policy.render.data import environment
from policy.secrets import MtaSecrets, ProxySecrets
from policy.settings import Settings
from policy.settings.base import named

_ESCAPES = str.maketrans({character: f"\\{character}" for character in '"\\$`'})


def environment_file(variables: Mapping[str, str]) -> bytes:
    """`NAME="value"` lines. Within double quotes systemd unescapes only these four characters
    and expands nothing."""
    lines = [
        f'{name}="{_fit(name, value).translate(_ESCAPES)}"\n' for name, value in variables.items()
    ]
    return "".join(lines).encode()


def _fit(name: str, value: str) -> str:
    for character in value:
        code = ord(character)
        # systemd drops a variable that contains one of these, with only a line in the journal.
        if code < 0x20 or code == 0x7F or 0xD800 <= code <= 0xDFFF:
            kind = "a line break or another control character"
        elif 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
            kind = "a code point that is not a character"
        else:
            continue
        raise UserError(f"{name}: the value holds {kind} (U+{code:04X}); leave it out")
    return value


def mta_environment(settings: Settings, addresses: Addresses, secrets: MtaSecrets) -> ReleaseFile:
    """`/etc/default/kumomta`: the contract's variables."""
    variables = {
        "PING8_WEBHOOK_TOKEN": secrets.webhook_token,
        "PING8_TRACE_KEY": secrets.trace_key,
        **environment(settings, addresses),
    }
    if any(proxy.authentication for proxy in settings.proxies):
        variables["KUMOPROXY_PASSWORD"] = _proxy_password(secrets)
    if settings.mta.nodes > 1:
        if not secrets.limits_password:
            raise UserError("several nodes need the secret limitsPassword, which is not set")
        variables["PING8_LIMITS_PASSWORD"] = secrets.limits_password
    return _environment(ENVIRONMENT, variables, ("kumomta", "ping8-outbox"))


def proxy_environment(
    settings: Settings, proxy_name: str, addresses: Addresses, secrets: ProxySecrets
) -> ReleaseFile:
    """`/etc/default/kumoproxy`: where it listens, and the password if it asks for one."""
    proxy = named(settings.proxies, proxy_name)
    variables = {"KUMOPROXY_LISTEN": f"{addresses.proxies[proxy_name].private}:{proxy.port}"}
    if proxy.authentication:
        variables["KUMOPROXY_USERNAME"] = SOCKS_USER
        variables["KUMOPROXY_PASSWORD"] = _proxy_password(secrets)
    return _environment("/etc/default/kumoproxy", variables, ("kumoproxy",))


def _proxy_password(secrets: ProxySecrets) -> str:
    if not secrets.proxy_password:
        raise UserError("proxies require a password, but the secret proxyPassword is not set")
    return secrets.proxy_password


def _environment(path: str, variables: Mapping[str, str], units: tuple[str, ...]) -> ReleaseFile:
    return ReleaseFile(
        path=path,
        content=environment_file(variables),
        mode=0o600,
        secret=True,
        effects=tuple(f"restart {unit}.service" for unit in units),
    )
