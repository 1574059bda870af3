"""How long Route 53 makes the records of many domains take: an engine over the strict AWS stand-in.

    python -m benchmarks.route53 DOMAINS PARALLEL [FASTER]

The stand-in takes five requests a second, as Route 53 does of an account, and waits for each change
as the AWS provider waits. FASTER runs all waiting that many times faster; the result is in real
seconds.
"""

import sys
import tempfile
import time
from pathlib import Path

import pulumi
import pulumi_aws as aws
from pulumi import automation

from sandbox.engine import ensure_engine
from sandbox.layout import Layout
from standins.pulumi.hosts import Hosts
from standins.pulumi.service import Service

RECORDS = 5
"""Record sets of a sender domain."""


def main() -> None:
    domains, parallel = int(sys.argv[1]), int(sys.argv[2])
    faster = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    service = Service(lambda _: Hosts())
    conditions = service.account.conditions
    route53 = service.account.client("route53", "us-east-1")
    zone = route53.create_hosted_zone(Name="mail.example.com", CallerReference="benchmark")
    identity = zone["HostedZone"]["Id"].rpartition("/")[2]
    conditions.route53_rate, conditions.route53_second = 5 * faster, 1 / faster
    with tempfile.TemporaryDirectory() as folder:
        stack = _stack(Path(folder), service, lambda: _records(identity, domains))
        for name, act in (("up", stack.up), ("destroy", stack.destroy)):
            before, calls = time.monotonic(), conditions.calls
            act(parallel=parallel)
            seconds = (time.monotonic() - before) * faster
            print(
                f"{name}: {domains} domains, parallel {parallel}:"
                f" {seconds:.0f} s, {conditions.calls - calls} requests",
                flush=True,
            )
    service.stop()


def _records(zone_id: str, domains: int) -> None:
    for domain in range(domains):
        for record in range(RECORDS):
            aws.route53.Record(
                f"{domain}-{record}",
                zone_id=zone_id,
                name=f"r{record}.d{domain}.mail.example.com",
                type="TXT",
                ttl=300,
                records=["v=DKIM1; p=" + "x" * 200],
            )


def _stack(folder: Path, service: Service, program: pulumi.automation.PulumiFn) -> automation.Stack:
    engine = ensure_engine(Layout.of_checkout().cache)
    options = automation.LocalWorkspaceOptions(
        work_dir=str(folder),
        project_settings=automation.ProjectSettings(
            name="route53",
            runtime="python",
            backend=automation.ProjectBackend(url=f"file://{folder}"),
        ),
        pulumi_command=automation.PulumiCommand(root=str(engine.parent.parent)),
        env_vars={
            "PULUMI_CONFIG_PASSPHRASE": "benchmark",
            "PULUMI_DEBUG_PROVIDERS": service.endpoints.debug_providers,
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        },
    )
    stack = automation.create_or_select_stack(
        "benchmark", project_name="route53", program=program, opts=options
    )
    stack.set_config("aws:region", automation.ConfigValue("eu-central-1"))
    return stack


if __name__ == "__main__":
    main()
