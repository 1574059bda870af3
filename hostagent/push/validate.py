"""Validates a staged release at its live paths before it is live.

Each program runs in its own mount namespace, where the staged release covers the live
one, so that it reads what it will read after the switch.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hostagent.contract import ENVIRONMENT, KUMOD, KUMOMTA, NGINX_CONF, POLICY
from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.release import links
from hostagent.release.effects import UNIT_FILES, Difference
from hostagent.release.model import Manifest
from hostagent.system.units import Units

KUMOD_UNIT = "kumomta.service"
CERTIFICATE = "/usr/local/lib/ping8/certificate"
_LIMIT = 120
_FIX = "nothing was changed; correct the named settings, then push again"
_POLICY_SAYS = "ping8: "
_NOT_OURS = ("Unknown key name", "man page")
_MASKED = hashlib.sha256(b"").hexdigest()
"""An empty unit file masks the unit, and `systemd-analyze verify` refuses masked units."""


@dataclass(frozen=True)
class Staged:
    """A release on disk that is not live; `kumomta` is the tree of a version to install."""

    host: Host
    old: Manifest
    new: Manifest
    difference: Difference
    kumomta: Path | None = None

    def touches(self, *prefixes: str) -> bool:
        """Whether a changed file is below one of these."""
        return any(path.startswith(prefixes) for path in self.difference.changed)

    def has_effect_on(self, unit: str) -> bool:
        """Whether the difference affects a unit."""
        return any(effect.endswith(f" {unit}") for effect in self.difference.effects)


def validate(staged: Staged) -> bool:
    """Reject a release that would not run.

    Returns whether kumod must be stopped before the switch: a running kumod loads the new policy
    with the environment that it was started with, and this policy may not load with that.
    """
    _check_shaping(staged)
    stop_first = _check_policy(staged)
    _check_nginx(staged)
    _check_units(staged)
    return stop_first


def _check_policy(staged: Staged) -> bool:
    policy = f"{POLICY}/init.lua"
    if policy not in staged.new.by_path:
        return False
    if not (
        staged.touches(f"{KUMOMTA}/", ENVIRONMENT)
        or staged.kumomta
        or staged.has_effect_on(KUMOD_UNIT)
    ):
        return False
    command = [KUMOD, "--validate", "--policy", policy, "--user", "kumod"]
    layout = staged.host.layout
    _must(staged, "kumod --validate", command, layout.stored(staged.new.id, ENVIRONMENT))
    if not staged.touches(POLICY) or not staged.touches(ENVIRONMENT):
        return False
    before = layout.stored(staged.old.id, ENVIRONMENT)
    if ENVIRONMENT not in staged.old.by_path or not before.exists():
        return False
    if Units(staged.host).states([KUMOD_UNIT])[KUMOD_UNIT] != "active":
        return False
    return _run(staged, command, before)[0] != 0


def _check_shaping(staged: Staged) -> None:
    program = f"{KUMOMTA}/sbin/validate-shaping"
    if not staged.host.layout.live(program).exists():
        return
    for path in staged.difference.changed:
        if path.endswith("/shaping.toml") and path in staged.new.by_path:
            _must(staged, "validate-shaping", [program, path])


def _check_nginx(staged: Staged) -> None:
    if staged.touches("/etc/nginx/", "/etc/ping8/tls/") or staged.has_effect_on("nginx.service"):
        if CERTIFICATE in staged.new.by_path:
            # Nginx rejects a site without a certificate, and a fresh host has none.
            _must(staged, "certificate", [CERTIFICATE, "ensure"])
        ours = ["-c", NGINX_CONF] if NGINX_CONF in staged.new.by_path else []
        _must(staged, "nginx -t", ["nginx", "-t", *ours])


def _check_units(staged: Staged) -> None:
    """Only what systemd says about our own files counts: a host's other units are not ours."""
    units = [
        path
        for path in staged.difference.changed
        if path in staged.new.by_path
        and path.startswith(UNIT_FILES)
        and "/" not in path[len(UNIT_FILES) :]
        and "@." not in path
        and staged.new.by_path[path].sha256 != _MASKED
    ]
    if not units:
        return
    code, output = _run(staged, ["systemd-analyze", "verify", "--man=no", *units])
    names = [path[len(UNIT_FILES) :] for path in units]
    lines = [
        line.strip()
        for line in output.splitlines()
        if any(name in line for name in names) and not any(word in line for word in _NOT_OURS)
    ]
    if code != 0 and lines:
        raise AgentError(f"`systemd-analyze verify` rejects: {' | '.join(lines[:6])}", _FIX)


def _must(
    staged: Staged, name: str, command: Sequence[str], environment: Path | None = None
) -> None:
    code, output = _run(staged, command, environment)
    if code != 0:
        lines = _ours(output) or [line.strip() for line in output.splitlines() if line.strip()]
        for line in lines[-20:]:
            staged.host.report.say(f"{name}: {line}")
        raise AgentError(f"`{name}` refuses the release: {' | '.join(lines[-3:])[:600]}", _FIX)


def _ours(output: str) -> list[str]:
    """What the policy itself says, each once: around it are kumod's words and stack traces."""
    found = (line.partition(_POLICY_SAYS) for line in output.splitlines())
    return list(dict.fromkeys(said + text for _, said, text in found if said))


def _run(
    staged: Staged, command: Sequence[str], environment: Path | None = None
) -> tuple[int, str]:
    arguments = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect"]
    arguments += [f"--property=RuntimeMaxSec={_LIMIT}", "--property=UMask=0077"]
    arguments += ["--property=LimitCORE=1"]
    arguments += [f"--property=BindReadOnlyPaths={bind}" for bind in binds(staged)]
    if environment is not None:
        arguments.append(f"--property=EnvironmentFile={environment}")
    # Through env: systemd-run looks for the program before the release covers the live one.
    result = staged.host.commands.run(
        [*arguments, "--", "/usr/bin/env", *command], limit=_LIMIT + 15
    )
    return result.code, result.output


def binds(staged: Staged) -> Iterable[str]:
    """The bind mounts: the release over the live one, and files over what is in their place."""
    layout = staged.host.layout
    yield f"{layout.release(staged.new.id)}:{layout.release(staged.old.id)}"
    for path in links.foreign(layout, staged.new):
        yield f"{layout.stored(staged.new.id, path)}:{layout.live(path)}"
    if staged.kumomta is not None:
        for folder in ("sbin", "share"):
            yield f"{staged.kumomta}{KUMOMTA}/{folder}:{KUMOMTA}/{folder}"
