"""DNS records in Route 53, as the plan lists them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.account_checks import AccountChecks
from components.credentials import Selector
from components.zones import Zone
from policy.dns import plan, texts


@dataclass(frozen=True, kw_only=True)
class MailDnsArgs:
    """Inputs of the records: the plan, and the values of its references."""

    records: tuple[plan.Record, ...]
    zones: Mapping[str, Zone]
    """The records' zones by name."""
    addresses: Mapping[str, pulumi.Output[str]]
    keys: Mapping[Selector, pulumi.Output[str]]
    signing: frozenset[Selector]
    """Those of `keys` that sign."""
    adopted: frozenset[str]
    """Names whose existing records are overwritten."""
    checks: AccountChecks


class MailDns(pulumi.ComponentResource):
    """All DNS records for mail, besides the addresses of hosts.

    Creates:
    - a record set for each record of the plan that lies in a Route 53 zone: SPF of EHLO names and
      brands; DKIM keys, DMARC, and the bounce domain's MX and SPF of each sender domain
    """

    def __init__(
        self, name: str, args: MailDnsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:MailDns", name, None, opts)
        made = []
        for record in args.records:
            if record.zone is None:
                continue
            resource = f"{name}-{record.type.lower()}-{record.name}"
            zone = args.zones[record.zone]
            one = aws.route53.Record(
                resource,
                zone_id=zone.id,
                name=record.name,
                type=record.type,
                ttl=record.ttl,
                records=_values(record, args),
                allow_overwrite=record.name in args.adopted or None,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    hooks=args.checks.record(
                        resource,
                        name,
                        zone,
                        record.name,
                        record.type,
                        values=_plain_values(record),
                        signs=_signs(record, args),
                    ),
                ),
            )
            made.append(one.urn)
        # This request is open until every record is registered: __main__.py says what for.
        self.register_outputs({"records": pulumi.Output.all(*made).apply(len)})


def _signs(record: plan.Record, args: MailDnsArgs) -> bool:
    match record.content:
        case plan.KeyOf(owner=owner, selector=selector):
            return (owner, selector) in args.signing
        case _:
            return False


def _plain_values(record: plan.Record) -> tuple[str, ...]:
    match record.content:
        case plan.Values(values=values):
            return values
        case _:
            return ()


def _values(record: plan.Record, args: MailDnsArgs) -> pulumi.Input[list[pulumi.Input[str]]]:
    match record.content:
        case plan.SpfOf(sources=sources):
            addresses = pulumi.Output.all(*(args.addresses[source] for source in sources))
            return [addresses.apply(lambda found: texts.route53_text(texts.spf(found)))]
        case plan.KeyOf(owner=owner, selector=selector):
            key = args.keys[owner, selector]
            return [key.apply(lambda pem: texts.route53_text(texts.dkim_record(pem)))]
        case plan.Values(values=values):
            return [
                texts.route53_text(value) if record.type == "TXT" else value for value in values
            ]
