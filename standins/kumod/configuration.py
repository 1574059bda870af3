"""What the policy has configured, shared by all its contexts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from standins.kumod.classify import BounceClassifier
from standins.kumod.errors import KumoError
from standins.kumod.facts import KumodFacts
from standins.kumod.logs import LogFile, check_templates
from standins.kumod.memo import Cache
from standins.kumod.message import Message
from standins.kumod.spool import PageCache, Spool

_SPOOLS = ("data", "meta")


def _refuse(_message: Message) -> None:
    raise KumoError("kumo.inject_message needs a running kumod")


@dataclass(kw_only=True)
class Configuration:
    """Spools, logs, hooks and listeners, and the caches that the policy fills.

    A real host has a page cache of its own.
    """

    facts: KumodFacts
    page_cache: PageCache | None
    accept: Callable[[Message], None] = _refuse
    spool: Spool = field(init=False)
    spools: dict[str, dict[str, Any]] = field(default_factory=dict)
    log_files: list[LogFile] = field(default_factory=list)
    hooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    listeners: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    classifier: BounceClassifier = field(default_factory=BounceClassifier)
    memo: dict[str, Cache] = field(default_factory=dict)
    signers: dict[str, tuple[float, Any]] = field(default_factory=dict)
    monitored: tuple[str, ...] = ("/opt/kumomta/etc/**/*.{lua,json,toml,yaml}",)
    mta_sts: bool = True
    validation_failed: bool = False

    def define_spool(self, params: dict[str, Any]) -> None:
        if params["name"] in self.spools:
            raise KumoError(f"spool {params['name']} has already been defined")
        self.spools[params["name"]] = params

    def open_spool(self) -> None:
        missing = [name for name in _SPOOLS if name not in self.spools]
        if missing:
            raise KumoError(f"start_spool: no spool named {missing[0]} has been defined")
        data, meta = (self.facts.paths.real(self.spools[name]["path"]) for name in _SPOOLS)
        self.spool = Spool(data, meta, self.page_cache)

    def configure_local_logs(self, params: dict[str, Any]) -> None:
        check_templates(params)
        files = LogFile(params, self.facts.paths.real(params["log_dir"]), self.page_cache)
        if not self.facts.validating:
            files.mark_left_segments()
        self.log_files.append(files)

    def configure_log_hook(self, params: dict[str, Any]) -> None:
        check_templates(params)
        name = params["name"]
        if name in self.hooks:
            raise KumoError(f"A logging hook with name `{name}` has already been registered")
        self.hooks[name] = params

    def configure_bounce_classifier(self, params: dict[str, Any]) -> None:
        self.classifier.load(params["files"], self.facts.paths.real)

    def start_listener(self, params: dict[str, Any], *, kind: str) -> None:
        if self.facts.validating:
            return
        address = params.get("listen", "127.0.0.1:8000" if kind == "http" else "127.0.0.1:2025")
        if any(other["listen"] == address for _, other in self.listeners):
            raise KumoError(f"bind to {address}: Address already in use (os error 98)")
        self.listeners.append((kind, {**params, "listen": address}))
