"""Instance types, volumes and ports."""

from collections.abc import Iterator

from policy.settings.checks.rule import check
from policy.settings.hosts import Host
from policy.settings.instances import instance_types
from policy.settings.model import Settings
from policy.settings.plain_secrets import Path
from policy.settings.problems import Finding, nearest, one_of

SPOOL_USABLE = 0.90
"""kumod refuses mail if less than a tenth of the spool is free."""

METADATA_KIB = 2
"""What the spool stores for each message besides its body."""

PROXY_STATUS_PORT = 8001
"""The loopback port of KumoProxy's status."""

_GP3_IOPS = 3000
_GP3_IOPS_FOR_EACH_GIB = 500
_GP3_THROUGHPUT_FOR_EACH_IOPS = 0.25
_KIB_FOR_EACH_GIB = 1024 * 1024
_FIRST_EPHEMERAL_PORT = 32768


def _hosts(settings: Settings) -> Iterator[tuple[Path, Host]]:
    yield ("mta",), settings.mta
    for i, proxy in enumerate(settings.proxies):
        yield ("proxies", i), proxy


@check("environment", "mta")
def shared_limits_can_be_named(settings: Settings) -> Iterator[Finding]:
    """ElastiCache refuses the name when the server is made, in the middle of an update."""
    if settings.mta.nodes > 1 and "--" in settings.environment:
        yield Finding(
            path=("mta", "nodes"),
            value=settings.mta.nodes,
            fix="the stack's name has two hyphens in a row, which ElastiCache does not take in the "
            "name of the shared limits: use another stack for several nodes",
        )


@check("mta", elements=["proxies"])
def instance_types_are_known(settings: Settings) -> Iterator[Finding]:
    """For a type that the table lacks, the settings must supply the facts."""
    for path, host in _hosts(settings):
        stated = host.architecture is not None and host.addresses_per_interface is not None
        if host.instance_type in instance_types() or stated:
            continue
        near = nearest(host.instance_type, instance_types())
        yield Finding(
            path=(*path, "instanceType"),
            value=host.instance_type,
            fix=(f"did you mean {near}? " if near else "")
            + "an instance type that the table does not list needs `architecture` and "
            "`addressesPerInterface`",
        )


@check("mta", elements=["proxies"])
def stated_types_agree(settings: Settings) -> Iterator[Finding]:
    """An image for another processor fails when the instance starts, in the middle of an update."""
    for path, host in _hosts(settings):
        known = instance_types().get(host.instance_type)
        if known is None:
            continue
        stated = {
            "architecture": (host.architecture, known["architecture"]),
            "addressesPerInterface": (host.addresses_per_interface, known["addresses"]),
        }
        for key, (value, right) in stated.items():
            if value not in (None, right):
                yield Finding(
                    path=(*path, key),
                    value=value,
                    fix=f"remove it: {host.instance_type} has {right}",
                )


@check("sources", elements=["proxies"])
def interfaces_hold_their_addresses(settings: Settings) -> Iterator[Finding]:
    """Sources on one proxy share an interface, whose addresses AWS limits by instance type."""
    for i, proxy in enumerate(settings.proxies):
        if proxy.addresses_per_interface is None and proxy.instance_type not in instance_types():
            continue
        count = len(settings.sources_of(proxy.name))
        if count > proxy.address_limit:
            yield Finding(
                path=("proxies", i, "instanceType"),
                value=proxy.instance_type,
                fix=f"it has at most {proxy.address_limit} addresses and {proxy.name} has {count} "
                "sources: choose a larger type, or spread the sources over more proxies",
            )


@check("mta")
def mta_tables_name_mta_hosts(settings: Settings) -> Iterator[Finding]:
    """An address for a host that does not exist would be ignored."""
    known = settings.mta.host_names
    tables = {
        "allocationIds": settings.mta.allocation_ids,
        "privateAddresses": settings.mta.private_addresses,
    }
    for key, table in tables.items():
        for host, value in table.items():
            if host not in known:
                fix = f"no MTA host has this name: {one_of(known, host)}"
                yield Finding(path=("mta", key, host), value=value, fix=fix)


@check("mta")
def spool_holds_the_backlog(settings: Settings) -> Iterator[Finding]:
    """A disk sized for the average is full in the first queue spike."""
    mta = settings.mta
    kib = mta.expected_backlog * (mta.expected_message_kib + METADATA_KIB)
    needed = -(-kib // int(SPOOL_USABLE * _KIB_FOR_EACH_GIB))
    if mta.spool_gib < needed:
        yield Finding(
            path=("mta", "spoolGib"),
            value=mta.spool_gib,
            fix=f"use {needed} or more: {mta.expected_backlog:,} messages (expectedBacklog) of "
            f"{mta.expected_message_kib} KiB (expectedMessageKib) and a tenth kept free, since "
            "kumod refuses mail below that",
        )


@check("mta")
def spool_is_a_possible_gp3_volume(settings: Settings) -> Iterator[Finding]:
    """Limits of gp3: 500 IOPS per GiB, 0.25 MiB/s per IOPS."""
    mta = settings.mta
    if mta.spool_iops > max(_GP3_IOPS, _GP3_IOPS_FOR_EACH_GIB * mta.spool_gib):
        yield Finding(
            path=("mta", "spoolIops"),
            value=mta.spool_iops,
            fix=f"gp3 allows {_GP3_IOPS_FOR_EACH_GIB} IOPS per GiB: lower it, or raise spoolGib",
        )
    if mta.spool_throughput > _GP3_THROUGHPUT_FOR_EACH_IOPS * mta.spool_iops:
        yield Finding(
            path=("mta", "spoolThroughput"),
            value=mta.spool_throughput,
            fix="gp3 allows 0.25 MiB/s per IOPS: lower it, or raise spoolIops",
        )


@check("mta", "logs", "alarms")
def log_volume_holds_the_logs(settings: Settings) -> Iterator[Finding]:
    """Kept logs must not raise the alarm about a full disk."""
    usable = settings.mta.log_gib * (100 - settings.alarms.disk_free_warning) // 100
    if settings.logs.keep_gib > usable:
        yield Finding(
            path=("logs", "keepGib"),
            value=settings.logs.keep_gib,
            fix=f"use {usable} or less, or raise mta.logGib: its {settings.mta.log_gib} GiB "
            f"minus the {settings.alarms.disk_free_warning} % free that alarms.diskFreeWarning "
            "asks for",
        )


@check("mta", "logs", elements=["proxies"])
def root_volumes_hold_the_journal(settings: Settings) -> Iterator[Finding]:
    """The journal shares the root volume with the system and the releases."""
    for path, host in _hosts(settings):
        if settings.logs.journal_gib * 4 > host.root_gib:
            yield Finding(
                path=(*path, "rootGib"),
                value=host.root_gib,
                fix=f"use {settings.logs.journal_gib * 4} or more: the journal (logs.journalGib) "
                "may use a quarter",
            )


@check(elements=["proxies"])
def socks_ports_are_free(settings: Settings) -> Iterator[Finding]:
    """The kernel may already use an ephemeral port when the proxy starts."""
    for i, proxy in enumerate(settings.proxies):
        if proxy.port >= _FIRST_EPHEMERAL_PORT:
            fix = (
                f"use a port below {_FIRST_EPHEMERAL_PORT}: the kernel uses higher ports for "
                "outgoing connections"
            )
        elif proxy.port == PROXY_STATUS_PORT:
            fix = "use another port: the proxy's status page uses this one"
        else:
            continue
        yield Finding(path=("proxies", i, "port"), value=proxy.port, fix=fix)


@check("mta", "kumomta", elements=["proxies"])
def the_pin_is_of_the_version(settings: Settings) -> Iterator[Finding]:
    """Digests of another version would stop the push on the host."""
    version, pin = settings.kumomta.version, settings.kumomta.pin
    if pin is None:
        return
    if pin.version != version:
        yield Finding(
            path=("kumomta", "pin", "version"),
            value=pin.version,
            fix=f"run `ping8 kumomta pin {version}`, or remove kumomta.pin",
        )
        return
    for path, host in _hosts(settings):
        known = host.architecture is not None or host.instance_type in instance_types()
        if known and host.processor not in pin.digests:
            yield Finding(
                path=(*path, "instanceType"),
                value=host.instance_type,
                fix=f"KumoMTA's repository has no package of {version} for {host.processor}: "
                f"choose an instance type of {' or '.join(pin.digests)}",
            )
