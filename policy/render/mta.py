"""The MTA host: KumoMTA behind Nginx, with its own resolver."""

from pathlib import Path

from hostagent.contract import AUDIT
from policy.addresses import Addresses
from policy.contract import DKIM_KEYS, INBOX, KUMOD_API, LOGS, OUTBOX, POLICY, SPOOL, TSA
from policy.limits import SMTP_SESSIONS, SMTP_SESSIONS_PER_MINUTE
from policy.release import Check, Directory, Mount, Release, ReleaseFile
from policy.render import system
from policy.render.certificate import TIMER, certificate_directories, certificate_files
from policy.render.data import RESTART_TSA, policy_files
from policy.render.environment import mta_environment
from policy.render.metrics import SHIP_TIMER, SHIPPED, metrics_files, shipping_files
from policy.render.metrics import TIMER as METRICS_TIMER
from policy.render.nginx import TOKEN_FILE, nginx_files
from policy.render.templates import template_file
from policy.secrets import MtaSecrets
from policy.settings import Settings
from policy.settings.base import seconds

_SYSTEM = "/etc/systemd/system"
_SMTP = "127.0.0.1:25"
_TSA = Path(__file__).parents[1] / "tsa" / "init.lua"
_TSA_UNIT = "tsa-daemon.service"
_UNBOUND = ("restart unbound.service",)


def render_mta(settings: Settings, host: str, addresses: Addresses, secrets: MtaSecrets) -> Release:
    """The complete release of the MTA host of that name."""
    return Release(
        host=host,
        role="mta",
        digest_key=secrets.digest_key,
        files=(
            *policy_files(settings, host, addresses),
            *dkim_files(secrets),
            mta_environment(settings, addresses, secrets),
            template_file(
                "mta",
                f"{_SYSTEM}/kumomta.service.d/ping8.conf",
                effects=("restart kumomta.service",),
                values={"node_id": settings.node_id(host)},
            ),
            *_nodes_files(settings),
            template_file("mta", "/etc/sysctl.d/61-ping8-mta.conf", effects=system.SYSCTL),
            *nginx_files(settings, host, secrets),
            *certificate_files(settings, host, secrets),
            *_resolver_files(),
            template_file(
                "mta", f"{_SYSTEM}/ping8-outbox.service", effects=("restart ping8-outbox.service",)
            ),
            *_automation_files(settings),
            *_smtp_limits(settings),
            *_prune_files(settings),
            *shipping_files(settings, host),
            *metrics_files(settings, "mta", host, _SMTP if settings.takes_reports() else ""),
            *system.system_files(settings, agent_effects=("restart ping8-outbox.service",)),
            *system.masked("kumo-tsa-daemon.service"),
        ),
        linked_directories=(POLICY, DKIM_KEYS),
        directories=(
            *(
                Directory(path=path, mode=0o2770, owner="kumod", group="kumod")
                for path in (
                    SPOOL,
                    f"{SPOOL}/data",
                    f"{SPOOL}/meta",
                    f"{SPOOL}/ping8",
                    OUTBOX,
                    LOGS,
                )
            ),
            Directory(path=AUDIT, mode=0o700, owner="root", group="root"),
            *certificate_directories(settings),
        ),
        mounts=(Mount(volume="spool", path=SPOOL), Mount(volume="logs", path=LOGS)),
        packages=_packages(settings),
        users=("tsa-daemon",) if settings.shaping.automation else (),
        units=_units(settings),
        checks=_checks(settings, addresses),
        kumomta_version=settings.kumomta.version,
        kumomta_preinstalled=settings.kumomta.preinstalled,
        source=system.package_source(settings, settings.mta.processor),
    )


def dkim_files(secrets: MtaSecrets) -> tuple[ReleaseFile, ...]:
    """Every selector's key, also the next one's: changing the active one changes only data."""
    return tuple(
        ReleaseFile(
            path=f"{DKIM_KEYS}/{owner}/{selector}.key",
            content=key.encode(),
            mode=0o400,
            owner="kumod",
            group="kumod",
            secret=True,
        )
        for (owner, selector), key in secrets.dkim_keys.items()
    )


def _nodes_files(settings: Settings) -> tuple[ReleaseFile, ...]:
    """What makes the ids of several nodes' messages differ."""
    if settings.mta.nodes == 1:
        return ()
    restart = ("restart kumomta.service",)
    return (
        template_file("mta", f"{_SYSTEM}/kumomta.service.d/ping8-nodes.conf", effects=restart),
        template_file("mta", "/usr/local/lib/ping8/interface", mode=0o755, effects=restart),
    )


def _resolver_files() -> tuple[ReleaseFile, ...]:
    script = "/usr/local/lib/ping8/resolver"
    return (
        template_file("mta", f"{_SYSTEM}/unbound.service.d/ping8.conf", effects=_UNBOUND),
        template_file("mta", "/etc/ping8/unbound.conf", effects=_UNBOUND),
        template_file("mta", script, mode=0o755, effects=_UNBOUND),
    )


def _automation_files(settings: Settings) -> tuple[ReleaseFile, ...]:
    if not settings.shaping.automation:
        return ()
    return (
        ReleaseFile(
            path="/opt/kumomta/etc/tsa/init.lua", content=_TSA.read_bytes(), effects=RESTART_TSA
        ),
        template_file("mta", f"{_SYSTEM}/{_TSA_UNIT}", effects=RESTART_TSA),
    )


def _smtp_limits(settings: Settings) -> tuple[ReleaseFile, ...]:
    if not settings.takes_reports():
        return ()
    return (
        template_file(
            "mta",
            "/etc/ping8/nftables/smtp.nft",
            effects=system.FIREWALL_EFFECTS,
            values={"sessions": SMTP_SESSIONS, "per_minute": SMTP_SESSIONS_PER_MINUTE},
        ),
    )


def _prune_files(settings: Settings) -> tuple[ReleaseFile, ...]:
    timer = "ping8-logs-prune.timer"
    return (
        template_file(
            "mta",
            f"{_SYSTEM}/ping8-logs-prune.service",
            values={
                "keep_seconds": seconds(settings.logs.keep),
                "keep_gib": settings.logs.keep_gib,
                "shipped": f" --shipped {SHIPPED}" if settings.logs.ship else "",
                "inbox": INBOX,
            },
        ),
        template_file("mta", f"{_SYSTEM}/{timer}", effects=(f"restart {timer}",)),
    )


def _packages(settings: Settings) -> tuple[str, ...]:
    # kumod's HTTP client trusts only the system's CAs; without them no webhook is sent.
    names = {*system.PACKAGES, "ca-certificates", "nginx", "openssl", "unbound", "zstd"}
    if settings.certificate.kind == "acme":
        names |= {"certbot", "python3-certbot-dns-route53"}
    return tuple(sorted(names))


def _units(settings: Settings) -> tuple[str, ...]:
    """In start order: names must resolve before mail moves."""
    units = [
        system.FIREWALL,
        "unbound.service",
        *([_TSA_UNIT] if settings.shaping.automation else []),
        "kumomta.service",
        "nginx.service",
        "ping8-logs-prune.timer",
        "ping8-outbox.service",
    ]
    if settings.certificate.kind == "acme":
        units.append(TIMER)
    if settings.logs.ship:
        units.append(SHIP_TIMER)
    return (*units, METRICS_TIMER, system.FINISH_TIMER)


def _checks(settings: Settings, addresses: Addresses) -> tuple[Check, ...]:
    return (
        Check(kind="liveness", target=f"{KUMOD_API}/api/check-liveness/v1"),
        Check(kind="injection", target="https://127.0.0.1/api/inject/v1", token_file=TOKEN_FILE),
        *(
            Check(kind="socks5", target=f"{addresses.proxies[proxy.name].private}:{proxy.port}")
            for proxy in settings.proxies
        ),
        *([Check(kind="banner", target=_SMTP)] if settings.takes_reports() else ()),
        *(
            [Check(kind="answer", target=f"{TSA}/tsa/status")]
            if settings.shaping.automation
            else ()
        ),
    )
