"""The KumoMTA policy as files: its Lua modules and the data beside them.

Lua is the same in every environment; what differs is data in `data/`:

| file | read | content |
|---|---|---|
| `sources.json` | at run time | source -> `ehlo_domain`, `proxy` (`ip:port`), `private`, `public`, `authentication`, `proxy_suspension` (how long it pauses when its proxy does not answer; only if a pool has another proxy) |
| `egress.json` | at run time | `pools`: name -> list of sources, each as often as it weighs; `default_source`, `default_pool` |
| `sender_domains/0.json` to `f.json` | at run time | domain -> its brand, or `brand` with `bounce` (envelope sender domain) unless it is `bounce.<domain>`, `held` if its mail is refused for now, and `signers` (keys of its own that sign: `selector`, `algorithm`: `rsa` or `ed25519`) unless the brand's sign. A domain is in the file of the first digit of its CRC-32 |
| `brands.json` | at run time | brand -> `pool`, `retry_interval`, `max_retry_interval`, `max_age`, `signers` |
| `listener_domains.json` | at run time | a domain that takes reports, and is no `bounce.<sender domain>` -> true |
| `inbox.json` | at run time | whose mail to people is kept: `local_parts`, `addresses` |
| `reception.json` | at run time | `unknown_senders`, `missing_headers`, `envelope_sender` as in the settings, `strip_correlation`, `recipients` (domain or address -> true, if not everybody) |
| `webhook.json` | at run time | `batch_size`, `leave_out`, `failure_field`, `timeout`, and in seconds `retry_interval`, `max_retry_interval`, `max_event_age` |
| `shaping.toml` | at run time | KumoMTA's shaping tables |
| `bounces.toml` | by `init` | classes of answers, the same in every environment: `policy/kumomta/data/` |
| `automation.json` | by `init`, and by tsa-daemon | `listen`, `trusted_hosts`; `publish` and `subscribe` (URLs of tsa-daemons) |
| `warm_up.json` | at run time | `refresh`, `files` (shaping files, for tsa-daemon too); `sources`: source -> `start` (date), `daily` (messages of each day), `pools` (the sources of each of its pools) |
| `server.json` | by `pre_init` and `init` | `hostname`, `request_body_limit`, `takes_reports`, `report_size_limit`, `transport`, `disabled_records`, `community_bounces`, `log_delayed`, `mta_sts`, `signers` (how many at most); for several nodes `several_nodes`: the own `address`, `shared_limits` (`node`, `username`), `transfer` (`address`, `request_body_limit`) |
| `nodes.json` | at run time | only for several nodes: `addresses`, the private ones of all |

`ping8-outbox.service` reads `webhook.json` too, each time that it looks for events.
"""  # noqa: E501

import json
import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from policy.addresses import Addresses
from policy.contract import (
    DEFAULT_POOL,
    DEFAULT_SOURCE,
    LIMITS_PORT,
    LIMITS_USER,
    POLICY,
    TRANSFER_PORT,
)
from policy.limits import SMTP_MESSAGES_PER_MINUTE, SMTP_MESSAGES_PER_SESSION
from policy.release import ReleaseFile
from policy.render.domains import brands, inbox, lines, listener_domains, sender_domains
from policy.render.shaping import automation, shaping_toml, warm_up
from policy.settings import Settings
from policy.settings.base import named, seconds

RESTART = ("restart kumomta.service",)
RESTART_TSA = ("restart tsa-daemon.service",)

_LUA = Path(__file__).parents[1] / "kumomta"
BOUNCES = _LUA / "data/bounces.toml"
_REQUIRE = re.compile(r"require ?\(?'(\w+)'")
_DATA_READ_AT_START = (
    "automation.json",
    "bounces.toml",
    "server.json",
    # A busy ready queue keeps its source as it was when the queue was created.
    "sources.json",
)
_PROXY_SUSPENSION = "2m"
"""Each time that it ends, some mail waits for `connect_timeout` if the host is still silent."""
_DERIVED_FROM_RECEPTION = frozenset({"Reception", "InboundReception"})


def policy_files(settings: Settings, host: str, addresses: Addresses) -> tuple[ReleaseFile, ...]:
    """Every Lua module and data file of the policy, by its live path, in order of paths."""
    contents = {path.name: path.read_bytes() for path in sorted(_LUA.glob("*.lua"))}
    at_start = {*_DATA_READ_AT_START, *read_at_start()}
    contents |= {
        f"data/{name}": content for name, content in data_files(settings, host, addresses).items()
    }
    return tuple(
        ReleaseFile(
            path=f"{POLICY}/{name}",
            content=content,
            effects=_effects(settings, name.removeprefix("data/"), at_start),
        )
        for name, content in sorted(contents.items())
    )


def _effects(settings: Settings, name: str, at_start: Container[str]) -> tuple[str, ...]:
    if name == "automation.json" and settings.shaping.automation:
        return (*RESTART_TSA, *RESTART)
    return RESTART if name in at_start else ()


def read_at_start() -> frozenset[str]:
    """The Lua modules that `pre_init` and `init` use: `server`, and what it requires."""
    found: set[str] = set()
    waiting = ["server"]
    while waiting:
        path = _LUA / f"{waiting.pop()}.lua"
        if path.name not in found and path.is_file():
            found.add(path.name)
            waiting += _REQUIRE.findall(path.read_text(encoding="utf-8"))
    return frozenset(found)


def data_files(settings: Settings, host: str, addresses: Addresses) -> dict[str, bytes]:
    """The data files by name."""
    nodes = several_nodes(settings, host, addresses)
    return {
        **({"nodes.json": _json(node_addresses(settings, addresses))} if nodes else {}),
        "sources.json": _json(sources(settings, addresses)),
        "egress.json": _json(egress(settings)),
        **sender_domains(settings),
        "brands.json": _json(brands(settings)),
        "listener_domains.json": lines((name, True) for name in listener_domains(settings)),
        "inbox.json": _json(inbox(settings)),
        "bounces.toml": BOUNCES.read_bytes(),
        "reception.json": _json(reception(settings)),
        "webhook.json": _json(webhook(settings)),
        "shaping.toml": shaping_toml(settings, host, addresses).encode(),
        "automation.json": _json(automation(settings, host, addresses)),
        "warm_up.json": _json(warm_up(settings)),
        "server.json": _json(server(settings, host) | nodes),
    }


def reception(settings: Settings) -> dict[str, Any]:
    """The rules of injection; without `recipients`, mail may go to anybody."""
    chosen = settings.reception
    content: dict[str, Any] = {
        "unknown_senders": chosen.unknown_senders,
        "missing_headers": chosen.missing_headers,
        "envelope_sender": chosen.envelope_sender,
        "reports_per_peer": f"{SMTP_MESSAGES_PER_MINUTE}/min",
        "verified_values_only": chosen.report_values == "verified",
        "strip_correlation": chosen.correlation_headers == "strip",
    }
    if chosen.recipients.only is not None:
        content["recipients"] = dict.fromkeys(chosen.recipients.only, True)
    return content


def sources(settings: Settings, addresses: Addresses) -> dict[str, Any]:
    """Egress sources. A source binds its private address; AWS translates it."""
    covered = _covered(settings)
    return {
        source.name: {
            "ehlo_domain": settings.ehlo(source),
            "proxy": f"{addresses.proxies[source.proxy].private}:{_port(settings, source.proxy)}",
            "private": addresses.sources[source.name].private,
            "public": addresses.sources[source.name].public,
            "authentication": any(
                proxy.authentication for proxy in settings.proxies if proxy.name == source.proxy
            ),
            **({"proxy_suspension": _PROXY_SUSPENSION} if source.name in covered else {}),
        }
        for source in settings.sources
    }


def _covered(settings: Settings) -> set[str]:
    """Sources beside which a pool has one on another proxy: that one can take over.

    Suspending any other source only makes its mail wait longer than the proxy is away.
    """
    return {
        name
        for pool in settings.pools
        if len(settings.proxies_of(pool)) > 1
        for name in pool.sources
    }


def egress(settings: Settings) -> dict[str, Any]:
    """Pools, and the defaults for a source or pool that is not set."""
    pools = {
        pool.name: [name for name, count in sorted(pool.turns().items()) for _ in range(count)]
        for pool in settings.pools
    }
    return {
        "pools": pools,
        "default_source": default_source(settings),
        "default_pool": _preferred(DEFAULT_POOL, [pool.name for pool in settings.pools]),
    }


def default_source(settings: Settings) -> str:
    """The source that `KUMOPROXY_*` describe: `proxy-default`, or the first one."""
    return _preferred(DEFAULT_SOURCE, [source.name for source in settings.sources])


def environment(settings: Settings, addresses: Addresses) -> dict[str, str]:
    """The variables of `/etc/default/kumomta` that are not secret.

    They come from the same record as `sources.json`; the policy compares the two when it loads.
    """
    source = sources(settings, addresses)[default_source(settings)]
    host, _, port = source["proxy"].rpartition(":")
    return {
        "PING8_WEBHOOK_URL": settings.webhook.url,
        "KUMOPROXY_HOST": host,
        "KUMOPROXY_PORT": port,
        "KUMOPROXY_PUBLIC_IP": source["public"],
        "KUMOPROXY_HELO": source["ehlo_domain"],
    }


def webhook(settings: Settings) -> dict[str, Any]:
    """How the webhook sender behaves; its URL and token are in the environment."""
    chosen = settings.webhook
    content: dict[str, Any] = {
        "batch_size": chosen.batch_size,
        "leave_out": dict.fromkeys(chosen.leave_out, True),
        "timeout": chosen.timeout,
        "retry_interval": seconds(chosen.retry_interval),
        "max_retry_interval": seconds(chosen.max_retry_interval),
        "max_event_age": seconds(chosen.max_event_age),
    }
    if chosen.failure_field is not None:
        content["failure_field"] = chosen.failure_field
    return content


def server(settings: Settings, host: str) -> dict[str, Any]:
    """What kumod reads only when it starts: a change restarts it.

    Receptions are left out later, record by record: bounces and complaints are derived from them,
    and a logger that is told to skip receptions never sees those either.
    """
    left_out = set(settings.webhook.leave_out) - _DERIVED_FROM_RECEPTION
    return {
        "hostname": settings.full_name(host),
        "request_body_limit": settings.reception.max_message_mib * 1024 * 1024,
        "takes_reports": settings.takes_reports(),
        "report_size_limit": report_size_limit(settings),
        "messages_per_session": SMTP_MESSAGES_PER_SESSION,
        "transport": settings.webhook.transport,
        "disabled_records": sorted(left_out),
        "community_bounces": settings.shaping.community_bounces,
        "log_delayed": "Delayed" not in settings.webhook.leave_out,
        "mta_sts": settings.shaping.mta_sts,
        "signers": _at_least(sum(1 + domain.dkim.ed25519 for domain in settings.domains)),
    }


def several_nodes(settings: Settings, host: str, addresses: Addresses) -> dict[str, Any]:
    """What kumod reads only when it starts, if there are other nodes."""
    if settings.mta.nodes == 1:
        return {}
    own = addresses.mta[host].private
    return {
        "several_nodes": {
            "address": own,
            "shared_limits": {
                "node": f"rediss://{addresses.limits}:{LIMITS_PORT}",
                "username": LIMITS_USER,
            },
            "transfer": {
                "address": f"{own}:{TRANSFER_PORT}",
                # The largest message there is, and its metadata.
                "request_body_limit": report_size_limit(settings) + 1024 * 1024,
            },
        }
    }


def node_addresses(settings: Settings, addresses: Addresses) -> dict[str, Any]:
    """The nodes in the order of their names: an added one changes no other's place."""
    return {"addresses": [addresses.mta[host].private for host in settings.mta.host_names]}


def report_size_limit(settings: Settings) -> int:
    """Bytes that port 25 accepts: an injected message, re-encoded on its way, and a report's text.

    Base64 turns 3 bytes into 4, and adds line ends.
    """
    return settings.reception.max_message_mib * 1024 * 1024 * 3 // 2 + 1024 * 1024


def _at_least(count: int) -> int:
    """The next power of two, from 512 on: adding a sender domain almost never restarts kumod."""
    return max(512, 1 << (count - 1).bit_length()) if count else 512


def _port(settings: Settings, proxy: str) -> int:
    return named(settings.proxies, proxy).port


def _preferred(name: str, names: list[str]) -> str:
    return name if name in names else names[0]


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
