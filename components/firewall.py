"""One table of allowed connections, and the security groups that enforce it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

import pulumi
import pulumi_aws as aws

from components.tagging import named
from policy.contract import LIMITS_PORT, TRANSFER_PORT, TSA_PORT
from policy.release import Role
from policy.settings import Settings, load
from policy.settings.raw import from_stack_file
from policy.settings.stack_file import read_stack_file

INTERNET = "0.0.0.0/0"
Group = Role | Literal["limits"]
"""Hosts of a role, or the server in which several MTA hosts count their limits."""

HOUSE = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- firewall: begin -->\n", "<!-- firewall: end -->"
"""The markers around the table in the README."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row. `peer` is a CIDR or a group."""

    host: Group
    direction: Literal["in", "out"]
    peer: str
    protocol: Literal["tcp", "udp"]
    port: int
    purpose: str

    @property
    def name(self) -> str:
        """Part of the resource's name: it changes only when the rule does."""
        peer = {INTERNET: "internet"}.get(self.peer, self.peer)
        return f"{self.host}-{self.direction}-{self.protocol}-{self.port}-{peer}"


def rules(settings: Settings) -> tuple[Rule, ...]:
    """The whole table. Everything else is refused, above all port 25 out of the MTA hosts."""
    return tuple(dict.fromkeys((*_mta(settings), *_proxy(settings))))


def _mta(settings: Settings) -> Iterable[Rule]:
    yield _rule("mta", "in", INTERNET, 443, "injection over HTTPS")
    if settings.takes_reports():
        yield _rule("mta", "in", INTERNET, 25, "bounces and abuse reports")
    yield from _log_in(settings, "mta")
    for port in _socks_ports(settings):
        yield _rule("mta", "out", "proxy", port, "SOCKS5 to the proxy hosts")
    if settings.mta.nodes > 1:
        yield from _between_nodes(settings)
    yield from _upkeep("mta")
    webhook = urlsplit(settings.webhook.url).port or 443
    if webhook not in (80, 443):
        yield _rule("mta", "out", INTERNET, webhook, "events to PING8")


def _between_nodes(settings: Settings) -> Iterable[Rule]:
    yield _rule("mta", "in", "mta", TRANSFER_PORT, "messages from other MTA hosts")
    yield _rule("mta", "out", "mta", TRANSFER_PORT, "messages to other MTA hosts")
    if settings.shaping.automation:
        yield _rule("mta", "in", "mta", TSA_PORT, "what providers refuse other MTA hosts")
        yield _rule("mta", "out", "mta", TSA_PORT, "what providers refuse, to other MTA hosts")
    yield _rule("mta", "out", "limits", LIMITS_PORT, "shared limits")
    yield _rule("limits", "in", "mta", LIMITS_PORT, "shared limits")


def _proxy(settings: Settings) -> Iterable[Rule]:
    for port in _socks_ports(settings):
        yield _rule("proxy", "in", "mta", port, "SOCKS5 from the MTA hosts")
    yield from _log_in(settings, "proxy")
    yield _rule("proxy", "out", INTERNET, 25, "mail to recipients")
    yield from _upkeep("proxy")


def _log_in(settings: Settings, host: Role) -> Iterable[Rule]:
    for cidr in settings.operators.cidrs:
        yield _rule(host, "in", cidr, 22, "operators log in, Pulumi pushes releases")


def _upkeep(host: Role) -> Iterable[Rule]:
    yield _rule(host, "out", INTERNET, 53, "DNS", protocol="udp")
    yield _rule(host, "out", INTERNET, 53, "DNS, long answers")
    yield _rule(host, "out", INTERNET, 123, "time", protocol="udp")
    yield _rule(host, "out", INTERNET, 80, "packages")
    https = "packages, AWS and the webhook of PING8" if host == "mta" else "packages and AWS"
    yield _rule(host, "out", INTERNET, 443, https)


def _rule(
    host: Group,
    direction: Literal["in", "out"],
    peer: str,
    port: int,
    purpose: str,
    *,
    protocol: Literal["tcp", "udp"] = "tcp",
) -> Rule:
    return Rule(
        host=host, direction=direction, peer=peer, protocol=protocol, port=port, purpose=purpose
    )


def _socks_ports(settings: Settings) -> tuple[int, ...]:
    return tuple(dict.fromkeys(proxy.port for proxy in settings.proxies))


def table(rows: Iterable[Rule]) -> str:
    """The rules as a Markdown table; the README shows the one of a small environment."""
    lines = ["| host | way | peer | protocol | port | what for |", "|---|---|---|---|---|---|"]
    for rule in rows:
        peer = "internet" if rule.peer == INTERNET else rule.peer
        cells = (rule.host, rule.direction, peer, rule.protocol, str(rule.port), rule.purpose)
        lines.append(f"| {' | '.join(cells)} |")
    return "".join(f"{line}\n" for line in lines)


def with_table(readme: str) -> str:
    """The README with the table of the smallest stack between its markers."""
    file = HOUSE / "stacks" / "Pulumi.dev.yaml"
    found = read_stack_file(file)
    settings = load(
        from_stack_file(found.config),
        environment="dev",
        region=found.region,
        directory=file.parent,
    )
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"README.md: write {BEGIN.strip()} and {END} where the table belongs")
    return f"{before}{begin}{table(rules(settings))}{end}{after}"


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """Inputs of the firewall."""

    rules: tuple[Rule, ...]
    vpc_id: pulumi.Input[str]
    tags: Mapping[str, str]


class Firewall(pulumi.ComponentResource):
    """One security group for each role, and one for the server of the shared limits.

    Creates:
    - security groups of the MTA hosts and of the proxy hosts, without inline rules
    - one ingress or egress rule for each row of the table
    """

    group_ids: Mapping[Group, pulumi.Output[str]]
    rules: tuple[pulumi.Resource, ...]
    """Every rule: a host that boots before they exist cannot download its packages."""

    def __init__(
        self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:Firewall", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.group_ids = {
            group: aws.ec2.SecurityGroup(
                f"{name}-{group}",
                description=f"{group} hosts of {name}",
                vpc_id=args.vpc_id,
                tags=named(args.tags, f"{name}-{group}"),
                opts=child,
            ).id
            for group in dict.fromkeys(rule.host for rule in args.rules)
        }
        self.rules = tuple(self._rule(name, rule, args, child) for rule in args.rules)
        self.register_outputs({"group_ids": dict(self.group_ids)})

    def _rule(
        self, name: str, rule: Rule, args: FirewallArgs, opts: pulumi.ResourceOptions
    ) -> pulumi.Resource:
        kind = (
            aws.vpc.SecurityGroupIngressRule
            if rule.direction == "in"
            else aws.vpc.SecurityGroupEgressRule
        )
        group = self.group_ids.get(cast(Group, rule.peer))
        return kind(
            f"{name}-{rule.name}",
            security_group_id=self.group_ids[rule.host],
            description=rule.purpose,
            ip_protocol=rule.protocol,
            from_port=rule.port,
            to_port=rule.port,
            cidr_ipv4=rule.peer if group is None else None,
            referenced_security_group_id=group,
            tags=named(args.tags, f"{name}-{rule.name}"),
            opts=opts,
        )


if __name__ == "__main__":
    README = HOUSE / "README.md"
    README.write_text(with_table(README.read_text("utf-8")), "utf-8")
