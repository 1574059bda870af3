"""The list of sender domains, from the stack file and a separate file, with common defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from policy.settings import csv_file, yaml_file
from policy.settings.dkim import ROTATION
from policy.settings.plain_secrets import Path
from policy.settings.problems import PROJECT, Problem, key_of, shown


@dataclass(frozen=True, kw_only=True)
class DomainList:
    """Entries in order, each with its place in the operator's files.

    `entries` have the defaults merged in, `own` have not.
    """

    entries: tuple[object, ...]
    own: tuple[object, ...]
    places: tuple[str, ...]
    defaults: object
    problems: tuple[Problem, ...] = ()

    def place(self, index: int, path: Path) -> str:
        """Where a value of an entry is set: in it, or in the defaults."""
        if not _has(self.own[index], path) and _has(self.defaults, path):
            return joined(f"{PROJECT}:domainDefaults", path)
        return joined(self.places[index], path)


def joined(place: str, path: Path) -> str:
    """Joins a place and a path in it: `prod.domains.yaml[3]` and `dkim.bits`."""
    rest = key_of(path)
    return f"{place}.{rest}" if rest and not rest.startswith("[") else f"{place}{rest}"


def _has(value: object, path: Path) -> bool:
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            # For a place inside a list, the list itself is good enough.
            return isinstance(part, int) and isinstance(value, list | tuple)
    return bool(path)


def domain_list(raw: Mapping[str, object], directory: FilePath) -> DomainList:
    """Every sender domain of a stack, as tables merged with the defaults."""
    inline = raw.get("domains")
    entries: list[object] = []
    places: list[str] = []
    problems: list[Problem] = []
    if isinstance(inline, list | tuple):
        entries += inline
        places += [f"{PROJECT}:domains[{i}]" for i in range(len(inline))]
    elif inline is not None:
        fix = "write a list: `- example.com`, or tables `- name: example.com`"
        problems.append(Problem(key=f"{PROJECT}:domains", value=shown(inline), fix=fix))
    file = raw.get("domainsFile")
    if isinstance(file, str):
        found = _read(file, directory)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            entries += found.values()
            places += found
    defaults = raw.get("domainDefaults")
    return DomainList(
        entries=tuple(_with_defaults(entry, defaults) for entry in entries),
        own=tuple(entries),
        defaults=defaults,
        places=tuple(places),
        problems=tuple(problems),
    )


def _with_defaults(entry: object, defaults: object) -> object:
    table = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(table, Mapping) or not isinstance(defaults, Mapping):
        return table
    merged = _merged(defaults, table)
    dkim = merged.get("dkim")
    if isinstance(dkim, Mapping):
        merged["dkim"] = _without_others_rotation(dkim, table.get("dkim"))
    return merged


def _without_others_rotation(merged: Mapping[str, Any], own: object) -> dict[str, Any]:
    """DKIM settings without the rotation of the defaults, if another one applies: the brand's, or
    one of the domain's own."""
    given = own if isinstance(own, Mapping) else {}
    apart = merged.get("keys") == "brand" or not ROTATION.isdisjoint(given)
    left_out = ROTATION - {"selectors"} - given.keys() if apart else ()
    return {key: value for key, value in merged.items() if key not in left_out}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(known, value) if both else value  # type: ignore[arg-type]
    return merged


def _read(file: str, directory: FilePath) -> dict[str, object] | Problem:
    key = f"{PROJECT}:domainsFile"
    if FilePath(file).name != file:
        fix = "write only the name of a file in the folder of the stack files"
        return Problem(key=key, value=file, fix=fix)
    try:
        return _entries(directory / file)
    except FileNotFoundError:
        others = sorted(found.name for found in directory.glob("*.domains.*"))
        there = f"; it contains: {', '.join(others)}" if others else ""
        fix = f"there is no such file in {directory.name}/{there}"
        return Problem(key=key, value=file, fix=fix)
    except OSError as error:
        return Problem(key=key, value=file, fix=f"the file cannot be read: {error.strerror}")
    except yaml_file.UnreadableError as error:
        return Problem(key=file, value="", fix=str(error))


def _entries(path: FilePath) -> dict[str, object]:
    """Entries by their place in a file: a line of CSV, or an element of YAML's list."""
    if path.suffix.lower() == ".csv":
        return {f"{path.name}[line {line}]": row for line, row in csv_file.read(path).items()}
    found = yaml_file.read(path)
    if found is not None and not isinstance(found, list):
        raise yaml_file.UnreadableError(
            "write a list: `- example.com`, or tables `- {name: example.com, brand: news}`"
        )
    return {f"{path.name}[{i}]": entry for i, entry in enumerate(found or ())}
