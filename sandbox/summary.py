"""What is running, as an operator would recognise it."""

from collections.abc import Iterator, Sequence

from ops.stack import Deployment
from standins.pulumi.hosts import Zone

_SHOWN = 72
_APEX = ("SOA", "NS")


def lines(
    deployment: Deployment, zones: Sequence[Zone], *, kumomta: str, stand_ins: str, steps: int
) -> Iterator[str]:
    """The summary at the end of a run; `zones` are those that Route 53 serves."""
    yield f"KumoMTA    {kumomta}"
    yield f"AWS        {stand_ins}"
    yield f"injection  https://{deployment.settings.mta_host}/api/inject/v1"
    yield f"webhook    {deployment.settings.webhook.url}"
    yield ""
    yield f"{'host':10} {'address':15} {'private':12} {'instance':20} release"
    for host in deployment.hosts.values():
        yield (
            f"{host.name:10} {host.address:15} {host.private_address:12} {host.instance_id:20} "
            f"{host.release_id}"
        )
    yield ""
    yield f"{'egress source':15} {'public':15} {'private':12} {'proxy':9} EHLO = PTR"
    for source in deployment.egress.values():
        yield (
            f"{source.name:15} {source.public:15} {source.private:12} {source.proxy:9} "
            f"{source.ehlo}"
        )
    for zone in zones:
        records = [record for record in zone.records if record.type not in _APEX]
        yield ""
        yield f"DNS zone {zone.name} (records: {len(records)})"
        for record in sorted(records, key=lambda each: (each.type, each.name)):
            value = ", ".join(record.values)
            short = value if len(value) <= _SHOWN else f"{value[: _SHOWN - 1]}…"
            yield f"  {record.type:5} {record.name.rstrip('.')}  {short}"
    yield ""
    yield f"journey    {steps} steps, each checked"
