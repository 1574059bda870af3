"""kumo.shaping: per-destination settings from TOML, for the shaping helper."""

import tomllib
from typing import Any

from standins.kumod.contract import contract, deserialize
from standins.kumod.decisions import site_of_domain
from standins.kumod.errors import KumoError
from standins.kumod.facts import KumodFacts
from standins.kumod.lua import LuaContext
from standins.kumod.objects import LuaObject, api, method
from standins.kumod.resolver import ResolveError


class Shaping(LuaObject):
    kind = "Shaping"

    def __init__(self, facts: KumodFacts, files: list[str]) -> None:
        self._facts = facts
        self.warnings: list[str] = []
        self._default: dict[str, Any] = {}
        self._exact: dict[str, dict[str, Any]] = {}
        self._sites: dict[str, dict[str, Any]] = {}
        self._providers: dict[str, dict[str, Any]] = {}
        for name in files:
            self._add_file(name)

    def _add_file(self, name: str) -> None:
        text = self._facts.read_text(name)
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise KumoError(f"parsing toml from file {name}: {error}") from None
        for provider, section in data.pop("provider", {}).items():
            self._check(name, f"provider.{provider}", section)
            _merge(self._providers.setdefault(provider, {}), section)
        for domain, section in data.items():
            self._check(name, domain, section)
            self._add_domain(domain, section)

    def _add_domain(self, domain: str, section: dict[str, Any]) -> None:
        if domain == "default":
            _merge(self._default, section)
            return
        if not section.get("mx_rollup", True):
            _merge(self._exact.setdefault(domain, {}), section)
            return
        try:
            site = site_of_domain(self._facts.resolver, domain)
        except ResolveError as error:
            ignored = "Ignoring the shaping config for that domain."
            self.warnings.append(f"error resolving MX for {domain}: {error}. {ignored}")
            return
        _merge(self._sites.setdefault(site, {}), section)

    def _check(self, name: str, where: str, section: dict[str, Any]) -> None:
        if not isinstance(section, dict):
            raise KumoError(f"{name}: {where}: invalid type: expected a table")
        parts = {where: section} | {
            f"{where}.sources.{source}": fields
            for source, fields in (section.get("sources") or {}).items()
        }
        for label, fields in parts.items():
            try:
                deserialize("kumo.make_egress_path", _path(fields))
            except KumoError as error:
                raise KumoError(f"{name}: {label}: {error}") from None

    def path_config(self, domain: str, source: str, site: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        sections = [
            self._default,
            *self._matching_providers(site),
            self._sites.get(site, {}),
            self._exact.get(domain, {}),
        ]
        for section in sections:
            if section.get("replace_base"):
                merged = {}
            merged |= section
        for section in sections:
            merged |= (section.get("sources") or {}).get(source, {})
        return _path(merged)

    def _matching_providers(self, site: str) -> list[dict[str, Any]]:
        def fits(rule: dict[str, Any]) -> bool:
            suffix = str(rule.get("MXSuffix") or rule.get("HostName") or "\0").rstrip(".")
            return site.rstrip(".").endswith(suffix)

        return [
            {"provider_name": name, **section}
            for name, section in self._providers.items()
            if any(fits(rule) for rule in section.get("match", []))
        ]


def _path(section: dict[str, Any]) -> dict[str, Any]:
    """This stand-in has no limits across a provider's sites."""
    own = contract()["shaping only"]
    return {name: value for name, value in section.items() if name not in own}


def _merge(into: dict[str, Any], section: dict[str, Any]) -> None:
    for key, value in section.items():
        if key == "sources":
            for source, fields in value.items():
                into.setdefault("sources", {}).setdefault(source, {}).update(fields)
        else:
            into[key] = value


@api("kumo.shaping.load")
def shaping_load(ctx: LuaContext, files: Any, _options: Any = None) -> Shaping:
    return Shaping(ctx.facts, list(files or []))


@method("Shaping", "get_egress_path_config")
def get_egress_path_config(
    _ctx: LuaContext, shaping: Shaping, domain: str, source: str, site: str
) -> dict[str, Any]:
    return shaping.path_config(domain, source, site)


@method("Shaping", "get_warnings")
def get_warnings(_ctx: LuaContext, shaping: Shaping) -> list[str]:
    return shaping.warnings
