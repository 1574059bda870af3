"""Input and output of one push: a constant command, everything else on standard input."""

import base64
import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hostagent.release.model import FORMAT, canonical, written
from policy.agent_bundle import agent_zipapp
from policy.compressed import compressed
from policy.release import HostFacts, Release, ReleaseFile
from policy.settings.base import seconds

_AGENT_PATH = "/usr/local/sbin/ping8-agent"
_GRACE = 120
"""Seconds the agent has to switch back after its time limit."""
_LOCK_WAIT = 180.0

# The agent never touches the disk before it runs: it is imported from memory.
_BOOTSTRAP = """\
import base64, bz2, io, json, os, runpy, sys
try:
    data = bz2.decompress(base64.b64decode(sys.stdin.buffer.read().strip(), validate=True))
    agent = base64.b64decode(json.loads(data)["agent"], validate=True)
except (OSError, ValueError, KeyError, TypeError):
    sys.exit("ping8: the bundle arrived damaged, so nothing was changed; push again")
memory = os.memfd_create("ping8-agent")
os.write(memory, agent)
sys.stdin = io.TextIOWrapper(io.BytesIO(data))
sys.argv[1:] = ["push"]
runpy.run_path(f"/proc/self/fd/{memory}", run_name="__main__")
"""


def push_command(time_limit: str) -> str:
    """The text that a host's shell runs; it contains nothing secret and never changes.

    `time_limit` is a duration such as `15m`; after it the agent switches back.
    """
    limit = f"timeout --kill-after={_GRACE} {seconds(time_limit)}"
    return f"sudo -n {limit} python3 -I -c {shlex.quote(_BOOTSTRAP)}"


def push_input(bundle: str) -> str:
    """Standard input of the push, secret as a whole: the compressed bundle."""
    return compressed(bundle)


def bundle_of(
    release: Release,
    facts: HostFacts,
    *,
    always: bool = False,
    run: str = "",
    patience: float = 180,
) -> str:
    """What a host gets, as JSON: the agent, the release and the host's facts.

    With `always`, the agent checks and repairs a host that already has the release. `run` is any
    text that differs on each run, for a caller that must see its input change. `patience` is
    the number of seconds until the host must be healthy; kumod opens a large spool slowly.
    """
    manifest = manifest_of(release)
    text = canonical(manifest)
    agent = next((file.content for file in release.files if file.path == _AGENT_PATH), None)
    bundle = {
        "format": FORMAT,
        "agent": base64.b64encode(agent or agent_zipapp()).decode(),
        "always": always,
        "run": run,
        "wait": _LOCK_WAIT,
        "patience": patience,
        "facts": {
            "name": facts.name,
            "instance_id": facts.instance_id,
            "volumes": dict(facts.volumes),
            "sizes": dict(facts.sizes),
        },
        "release": manifest,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "contents": {file.path: _content(file) for file in release.files},
    }
    return canonical(bundle)


def manifest_of(release: Release) -> dict[str, Any]:
    """The release without its contents: what the host keeps as `manifest.json`."""
    files = [
        {**written(file), "sha256": hashlib.sha256(file.content).hexdigest()}
        for file in release.files
    ]
    return {**written(release), "id": release.id, "files": files}


@dataclass(frozen=True, kw_only=True)
class PushReport:
    """A host's answer; it contains no secret. `files` maps a path to its SHA-256 or `secret`."""

    release_id: str
    previous_id: str
    changed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    backed_up: tuple[str, ...] = ()
    recovered: str = ""
    warnings: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


def parse_report(stdout: str) -> PushReport:
    """Parses what the push printed; the ValueError names what is missing."""
    try:
        data = json.loads(stdout.strip().splitlines()[-1])
        return PushReport(
            release_id=data["release"],
            previous_id=data["previous"],
            changed=tuple(data.get("changed", ())),
            restarted=tuple(data.get("restarted", ())),
            repaired=tuple(data.get("repaired", ())),
            backed_up=tuple(data.get("backed_up", ())),
            recovered=data.get("recovered", ""),
            warnings=tuple(data.get("warnings", ())),
            files=data.get("files", {}),
            timings=data.get("timings", {}),
        )
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the push printed no report ({type(error).__name__}: {error})") from error


def _content(file: ReleaseFile) -> dict[str, str]:
    """As text if possible: a third shorter in the bundle and in Pulumi's state."""
    if file.path == _AGENT_PATH:
        return {"same": "agent"}
    try:
        return {"text": file.content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(file.content).decode()}
