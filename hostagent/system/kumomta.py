"""The KumoMTA of this host: its version and its known faults."""

import functools
import json
import pkgutil
import re
from typing import TypedDict

from hostagent import contract
from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.release.model import Manifest
from hostagent.system import packages

_QUICK = 10.0


class _Fault(TypedDict):
    """`before`: the date of the first fixed release."""

    before: str
    fault: str


@functools.cache
def _table() -> list[_Fault]:
    table: list[_Fault] = json.loads(pkgutil.get_data(__name__, "kumomta_faults.json") or b"")
    return table


def faults(version: str) -> list[str]:
    """Known faults of a version, by its date; a text without a date has none."""
    date = re.search(r"\d{4}\.\d{2}\.\d{2}", version)
    if date is None:
        return []
    return [entry["fault"] for entry in _table() if date.group() < entry["before"]]


def present(host: Host, manifest: Manifest) -> str | None:
    """The version that is installed or part of the image."""
    if not manifest.kumomta_preinstalled:
        version = packages.installed(host, ["kumomta"]).get("kumomta", "")
        pinned = manifest.kumomta_version
        return pinned if packages.matches(version, pinned) else version or None
    said = host.commands.run([contract.KUMOD, "--version"], limit=_QUICK)
    return said.output.strip() or None if said.good else None


def warn_of_faults(host: Host, manifest: Manifest) -> None:
    """Report the faults of the version in a release: an image may have an old one, and a
    release that was pushed long ago may pin one."""
    version = manifest.kumomta_version
    if manifest.kumomta_preinstalled:
        try:
            version = present(host, manifest) or ""
        except AgentError as error:
            # A kumod that does not answer is a reason to push, not to reject a push.
            host.report.warn(f"the version of KumoMTA is unknown: {error.what}")
            return
    for fault in faults(version):
        host.report.warn(f"KumoMTA {version}: {fault}")
