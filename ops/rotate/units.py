"""What rotates together, and where its state is written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.choice import chosen
from ops.stackfile import read_stack_file, save
from ops.yaml_edit import put
from policy.contract import ED25519_SUFFIX
from policy.errors import UsageError, UserError
from policy.settings import Settings, stack_file, yaml_file
from policy.settings.dkim import ROTATION, DkimKeys
from policy.settings.domain_list import domain_list
from policy.settings.problems import PROJECT
from policy.settings.raw import from_stack_file

Place = tuple[Path, tuple[str | int, ...]]
"""A file and the path of a `dkim` table in it."""

_STATE = {"active", "made", "seen", "since"}


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Owners of DKIM keys whose state is one table. `whole`: that table has no state yet."""

    name: str
    owners: tuple[str, ...]
    keys: DkimKeys
    place: Place
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Written:
    """A stack file as written: its settings, and the places of its parts."""

    settings: Settings
    path: Path
    config: Mapping[str, Any]
    keys: tuple[str, ...]
    """The keys of `config` as the file has them."""
    own: tuple[object, ...]
    """Sender domains without the defaults."""

    @classmethod
    def read(cls, stack: str, directory: Path) -> "Written":
        """Raises `UserError` for settings that are wrong."""
        settings = read_stack_file(stack, directory)
        path = directory / f"Pulumi.{stack}.yaml"
        config = from_stack_file(stack_file.read_stack_file(path).config)
        own = domain_list(config, directory).own
        keys = tuple(yaml_file.read(path)["config"])
        return cls(settings=settings, path=path, config=config, keys=keys, own=own)

    def given_keys(self, owners: Iterable[str], selector: str) -> list[str]:
        """Which of these owners' keys are configured, as `dkimKeys` names them."""
        given = self.config.get("dkimKeys")
        wanted = (f"{owner}/{selector}{end}" for owner in owners for end in ("", ED25519_SUFFIX))
        return [place for place in wanted if isinstance(given, Mapping) and place in given]

    def place(self, *path: str | int) -> Place:
        """Where a setting is or would be, under the key as the file has it."""
        first, *rest = path
        key = next((k for k in self.keys if k.rpartition(":")[2] == first), f"{PROJECT}:{first}")
        return self.path, ("config", key, *rest)

    def place_of_domain(self, index: int) -> Place:
        """Of a sender domain's `dkim`, in the stack file or in the file of domains."""
        inline = len(self.config.get("domains") or ())
        if index < inline:
            return self.place("domains", index, "dkim")
        file = self.path.parent / str(self.settings.domains_file)
        if file.suffix == ".csv":
            raise UserError(
                f"{file.name}: CSV has no place for a rotation of one domain's own keys; move "
                f"{self.settings.domains[index].name} to `domains` in {self.path.name}"
            )
        return file, (index - inline, "dkim")


def units(written: Written, *, brand: str | None, domain: str | None) -> list[Unit]:
    """All of a stack, or those of one brand's keys or of one domain's own."""
    settings = written.settings
    if brand is not None:
        return [_of_brand(written, chosen("--brand", brand, [b.name for b in settings.brands]))]
    if domain is not None:
        names = [one.name for one in settings.domains]
        return [_of_domain(written, names.index(chosen("--domain", domain, names)))]
    brands = dict.fromkeys(one.brand for one in settings.domains if not one.has_own_keys)
    own = [i for i, one in enumerate(settings.domains) if one.has_own_keys]
    apart = [i for i in own if _rotates_alone(written.own[i])]
    rest = [settings.domains[i] for i in own if i not in set(apart)]
    found = [_of_brand(written, name) for name in brands]
    if rest:
        found.append(
            Unit(
                name="domainDefaults" if len(rest) > 1 else rest[0].name,
                owners=tuple(one.name for one in rest),
                keys=rest[0].dkim,
                place=written.place("domainDefaults", "dkim"),
            )
        )
    return [*found, *(_of_domain(written, i) for i in apart)]


def _of_brand(written: Written, name: str) -> Unit:
    settings = written.settings
    if all(one.has_own_keys for one in settings.domains if one.brand == name):
        raise UsageError(
            f"--brand {name}: no sender domain is signed with this brand's keys; its domains "
            "have keys of their own: use --domain, or neither"
        )
    index = [brand.name for brand in settings.brands].index(name)
    place = written.place("brands", index, "dkim")
    return Unit(name=name, owners=(name,), keys=settings.brand(name).dkim, place=place)


def _of_domain(written: Written, index: int) -> Unit:
    domain = written.settings.domains[index]
    if not domain.has_own_keys:
        raise UsageError(
            f"--domain {domain.name}: the keys of brand {domain.brand} sign its mail; use --brand "
            f"{domain.brand}"
        )
    return Unit(
        name=domain.name,
        owners=(domain.name,),
        keys=domain.dkim,
        place=written.place_of_domain(index),
        whole=not _rotates_alone(written.own[index]),
    )


def _rotates_alone(entry: object) -> bool:
    dkim = entry.get("dkim") if isinstance(entry, Mapping) else None
    return isinstance(dkim, Mapping) and not ROTATION.isdisjoint(dkim)


def write(written: Written, steps: Iterable[tuple[Unit, Mapping[str, object]]], stack: str) -> None:
    """Writes values into the units' tables."""
    put_all(
        written,
        stack,
        [
            (
                unit.place,
                {**unit.keys.model_dump(include=_STATE, exclude_defaults=True), **writes}
                if unit.whole
                else writes,
            )
            for unit, writes in steps
        ],
    )


def put_all(
    written: Written, stack: str, changes: Iterable[tuple[Place, Mapping[str, object]]]
) -> None:
    """Writes values into tables; restores the files if their settings are wrong."""
    before: dict[Path, str] = {}
    texts: dict[Path, str] = {}
    for (file, path), values in changes:
        before.setdefault(file, file.read_text("utf-8"))
        text = texts.get(file, before[file])
        if path[1] == f"{PROJECT}:brands" and "brands" not in written.config:
            brands = [{"name": one.name, "pool": one.pool} for one in written.settings.brands]
            text = put(text, path[:2], brands)
        for key, value in values.items():
            text = put(text, (*path, key), value)
        texts[file] = text
    try:
        for file, text in texts.items():
            save(file, text)
        read_stack_file(stack, written.path.parent)
    except BaseException:
        for file, text in before.items():
            save(file, text)
        raise
