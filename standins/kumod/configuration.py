"""What the policy has configured, shared by all its contexts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from standins.kumod.classify import BounceClassifier
from standins.kumod.errors import KumoError
from standins.kumod.facts import KumodFacts
from standins.kumod.logs import LogFile, check_template, mark_left_segments
from standins.kumod.memo import MemoCaches
from standins.kumod.message import Message
from standins.kumod.page_cache import PageCache
from standins.kumod.spool import MemorySpool, Spool


def _refuse(_message: Message) -> None:
    raise KumoError("kumo.inject_message needs a running kumod")


@dataclass(kw_only=True)
class Configuration:
    """Spools, logs, hooks and listeners, and the caches that the policy fills."""

    facts: KumodFacts
    cache: PageCache
    spool: Spool = field(default_factory=MemorySpool)
    accept: Callable[[Message], None] = _refuse
    spools: dict[str, dict[str, Any]] = field(default_factory=dict)
    log_files: list[LogFile] = field(default_factory=list)
    hooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    listeners: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    classifier: BounceClassifier = field(default_factory=BounceClassifier)
    memo: MemoCaches = field(default_factory=MemoCaches)
    signers: dict[str, tuple[float, Any]] = field(default_factory=dict)
    monitored: tuple[str, ...] = ("/opt/kumomta/etc/**/*.{lua,json,toml,yaml}",)
    mta_sts: bool = True
    validation_failed: bool = False

    @property
    def page_cache(self) -> PageCache | None:
        """None on a real host, which has one of its own."""
        return None if self.facts.threaded else self.cache

    def define_spool(self, params: dict[str, Any]) -> None:
        if params["name"] in self.spools:
            raise KumoError(f"spool {params['name']} has already been defined")
        self.spools[params["name"]] = params

    def configure_local_logs(self, params: dict[str, Any]) -> None:
        check_template(params)
        if not self.facts.validating:
            mark_left_segments(params, self.facts.paths.real)
        self.log_files.append(LogFile(params, self.facts.paths.real, self.page_cache))

    def configure_log_hook(self, params: dict[str, Any]) -> None:
        check_template(params)
        if params["name"] in self.hooks:
            raise KumoError(
                f"A logging hook with name `{params['name']}` has already been registered"
            )
        self.hooks[params["name"]] = params

    def start_listener(self, kind: str, params: dict[str, Any]) -> None:
        if self.facts.validating:
            return
        address = params.get("listen", "127.0.0.1:8000" if kind == "http" else "127.0.0.1:2025")
        if any(other.get("listen") == address for _, other in self.listeners):
            raise KumoError(f"bind to {address}: Address already in use (os error 98)")
        self.listeners.append((kind, {**params, "listen": address}))
