"""An example stack in a project folder of its own, over an account as it is before its first up.

Names of the documentation become names in `.test`, since an update with the former is rejected.
"""

import re
import shutil
from collections.abc import Collection
from pathlib import Path

from policy.settings import Settings
from standins.pulumi.service import Service
from tests.components import shapes

ROOT = Path(__file__).parents[3]
REGION = "eu-central-1"


def prepare(service: Service, name: str) -> Settings:
    """The account: quotas as the stack says, its zones, and addresses that it names."""
    settings = shapes.settings(name)
    conditions = service.account.conditions
    conditions.reset()
    conditions.elastic_ips = settings.elastic_ip_quota
    route53 = service.account.client("route53", "us-east-1")
    for zone in sorted({settings.zone, *(item.zone for item in settings.domains if item.zone)}):
        route53.create_hosted_zone(Name=_own(zone), CallerReference=f"{name} {zone}")
    return settings


def project(service: Service, folder: Path, name: str) -> None:
    """The project's files, as in a checkout; addresses have the ids that this account gave them."""
    (folder / "stacks").mkdir(parents=True)
    shutil.copy2(ROOT / "Pulumi.yaml", folder)
    ec2 = service.account.client("ec2", REGION)
    for path in [
        *(ROOT / "stacks").glob("*.domains.yaml"),
        ROOT / "stacks" / f"Pulumi.{name}.yaml",
    ]:
        text = _own(path.read_text("utf-8"))
        for example in sorted(set(re.findall(r"eipalloc-[0-9a-f]+", text))):
            text = text.replace(example, ec2.allocate_address(Domain="vpc")["AllocationId"])
        (folder / "stacks" / path.name).write_text(text, "utf-8")


def environment(service: Service, folder: Path, real: Collection[str] = ()) -> dict[str, str]:
    """What the engine needs; providers in `real` are left to their plugins."""
    attached = service.endpoints.debug_providers.split(",")
    return {
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_DEBUG_PROVIDERS": ",".join(
            each for each in attached if each.partition(":")[0] not in real
        ),
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def _own(text: str) -> str:
    return re.sub(r"\bexample\.(com|net|org)\b", r"ping8-\1.test", text).replace(
        ".example\n", ".test\n"
    )
