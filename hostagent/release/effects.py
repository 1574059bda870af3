"""Which units are affected by the difference between two releases. Pure."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from hostagent.release.model import Manifest

UNIT_FILES = "/etc/systemd/system/"


@dataclass(frozen=True)
class Difference:
    """From one release to another."""

    changed: tuple[str, ...]
    gone_units: tuple[str, ...]
    effects: tuple[str, ...]
    daemon_reload: bool


def difference(old: Manifest, new: Manifest, *, extra: Iterable[str] = ()) -> Difference:
    """What changed, and what it requires; `extra` are effects that no file has."""
    before, after = old.by_path, new.by_path
    changed = tuple(
        path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)
    )
    gone = tuple(unit for unit in old.units if unit not in new.units)
    # A helper (a timer's service, say) cannot be reloaded if its file goes with the old release.
    unfiled = own_units(old) - own_units(new) - set(new.units)
    asked = [
        effect
        for path in changed
        for side in (after, before)
        if path in side
        for effect in side[path].effects
    ]
    return Difference(
        changed=changed,
        gone_units=gone,
        effects=ordered([*asked, *extra], new.units, without={*gone, *unfiled}),
        daemon_reload=any(path.startswith(UNIT_FILES) for path in changed),
    )


def own_units(manifest: Manifest) -> set[str]:
    """Units for which the release has its own file."""
    paths = (file.path for file in manifest.files if file.path.startswith(UNIT_FILES))
    return {path[len(UNIT_FILES) :] for path in paths if "/" not in path[len(UNIT_FILES) :]}


def ordered(
    effects: Iterable[str], units: tuple[str, ...], *, without: Container[str] = ()
) -> tuple[str, ...]:
    """Each unit once with the strongest verb, helpers first, then in the release's order."""
    strength = {"start": 0, "reload": 1, "restart": 2}
    verbs: dict[str, str] = {}
    for effect in effects:
        verb, unit = effect.split(" ", 1)
        if unit not in without and strength[verb] >= strength[verbs.get(unit, "start")]:
            verbs[unit] = verb
    position = {unit: index for index, unit in enumerate(units)}
    names = sorted(verbs, key=lambda unit: (position.get(unit, -1), unit))
    return tuple(f"{verbs[unit]} {unit}" for unit in names)
