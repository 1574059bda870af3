"""systemd on this host."""

import configparser
import os
import time
from collections.abc import Iterable

from hostagent import durable
from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.release.effects import UNIT_FILES, own_units
from hostagent.release.model import Manifest

_START = 360.0
"""Over the packaged unit's TimeoutStopSec of 300 s."""
_QUICK = 30.0
_LOOK = "read the lines above and `journalctl -u {unit}`, correct the settings, then push again"


class Units:
    """Starting, stopping, enabling and asking."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def reload_manager(self) -> None:
        """Let systemd reload its unit files."""
        self._systemctl("daemon-reload")

    def apply(self, effect: str) -> None:
        """Apply one effect; this starts a unit that is not running."""
        verb, unit = effect.split(" ", 1)
        self._host.report.say(f"{verb} {unit}")
        command = {"reload": "reload-or-restart"}.get(verb, verb)
        since = time.time()
        result = self._host.commands.run(["systemctl", command, unit], limit=_START)
        if not result.good:
            self.show_journal([unit], since)
            raise AgentError(
                f"`systemctl {command} {unit}` failed: {result.tail(4)}", _LOOK.format(unit=unit)
            )

    def restart_soon(self, unit: str) -> None:
        """Ask systemd for a restart without waiting for it."""
        self._systemctl("restart", "--no-block", unit)

    def stop(self, units: Iterable[str]) -> None:
        """Stop units; one that is not loaded is already stopped."""
        for unit in units:
            self._host.report.say(f"stop {unit}")
            result = self._host.commands.run(["systemctl", "stop", unit], limit=_START)
            if not result.good and "not loaded" not in result.output:
                raise AgentError(
                    f"`systemctl stop {unit}` failed: {result.tail(4)}", _LOOK.format(unit=unit)
                )

    def states(self, units: Iterable[str]) -> dict[str, str]:
        """The state of each unit, in systemd's words."""
        names = list(units)
        if not names:
            return {}
        result = self._host.commands.run(["systemctl", "is-active", *names], limit=_QUICK)
        answers = result.output.split()
        if len(answers) != len(names):
            raise AgentError(
                f"`systemctl is-active` failed: {result.tail(4)}", "look at systemd on the host"
            )
        return dict(zip(names, answers, strict=True))

    def disabled(self, units: Iterable[str]) -> tuple[str, ...]:
        """Units that would not start at boot."""
        names = list(units)
        if not names:
            return ()
        result = self._host.commands.run(["systemctl", "is-enabled", *names], limit=_QUICK)
        answers = [line for line in result.output.split("\n") if line and " " not in line]
        if len(answers) != len(names):
            return tuple(names)
        return tuple(
            unit
            for unit, answer in zip(names, answers, strict=True)
            if answer in {"disabled", "linked", "masked", "not-found"}
        )

    def restarts(self, units: Iterable[str]) -> dict[str, int]:
        """How often systemd itself restarted each unit since it was last started by hand."""
        found = {}
        for unit in units:
            result = self._host.commands.run(
                ["systemctl", "show", "--property=NRestarts", "--value", unit], limit=_QUICK
            )
            text = result.output.strip()
            found[unit] = int(text) if text.isdigit() else 0
        return found

    def running_from(self, units: Iterable[str], folder: str) -> tuple[str, ...]:
        """Active services whose program is in a folder."""
        found = []
        for unit in units:
            if unit.endswith(".service"):
                result = self._host.commands.run(
                    ["systemctl", "show", "--property=ExecStart,ActiveState", unit], limit=_QUICK
                )
                if folder in result.output and "ActiveState=active" in result.output:
                    found.append(unit)
        return tuple(found)

    def enable(self, manifest: Manifest) -> None:
        """Make the release's units start at boot.

        Links for our own unit files are created here: `systemctl enable` would point them into one
        release's folder, which is pruned later.
        """
        own = dict(installed_units(self._host, manifest))
        for unit, targets in own.items():
            for target in targets:
                link = self._host.layout.live(f"{UNIT_FILES}{target}/{unit}")
                link.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                if not os.path.lexists(link):
                    durable.put_link(link, f"{UNIT_FILES}{unit}")
        for unit in self.disabled(unit for unit in manifest.units if unit not in own):
            if f"{UNIT_FILES}{unit}" not in manifest.by_path:
                self._systemctl("enable", unit)

    def retire(self, units: Iterable[str], origin: Manifest, manifest: Manifest) -> None:
        """Stop units that the release no longer has, and keep them from starting at boot."""
        for unit in units:
            self.stop([unit])
            if f"{UNIT_FILES}{unit}" not in origin.by_path:
                self._host.commands.run(["systemctl", "disable", unit], limit=_QUICK)
        gone = {*units, *own_units(origin)} - {*manifest.units, *own_units(manifest)}
        folder = self._host.layout.live(UNIT_FILES)
        for wants in [*folder.glob("*.wants"), *folder.glob("*.requires")]:
            for unit in gone:
                (wants / unit).unlink(missing_ok=True)

    def show_journal(self, units: Iterable[str], since: float, *, lines: int = 15) -> None:
        """Print the last lines of the units' journal."""
        for line in self.journal(units, since).splitlines()[-lines:]:
            self._host.report.say(f"journal: {line}")

    def journal(self, units: Iterable[str], since: float, *extra: str) -> str:
        """The units' journal since a moment."""
        named = [f"--unit={unit}" for unit in units]
        if not named:
            return ""
        arguments = ["journalctl", "--quiet", "--no-pager", "--output=cat"]
        return self._host.commands.run(
            [*arguments, f"--since=@{since:.3f}", "--lines=200", *named, *extra], limit=_QUICK
        ).output

    def _systemctl(self, *arguments: str) -> None:
        self._host.commands.must(
            ["systemctl", *arguments], limit=_QUICK * 2, fix="look at systemd on the host"
        )


def installed_units(host: Host, manifest: Manifest) -> Iterable[tuple[str, tuple[str, ...]]]:
    """The release's own unit files that start at boot, and the folders of their links."""
    for file in manifest.files:
        unit = file.path[len(UNIT_FILES) :]
        if not file.path.startswith(UNIT_FILES) or "/" in unit or "@." in unit:
            continue
        parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            parser.read_string(host.layout.stored(manifest.id, file.path).read_text())
        except (configparser.Error, OSError):
            continue
        targets = [
            f"{target}.{kind}"
            for option, kind in (("WantedBy", "wants"), ("RequiredBy", "requires"))
            for target in (parser.get("Install", option, fallback="") or "").split()
        ]
        if targets:
            yield unit, tuple(targets)
