"""Runs the whole program against mocks and records all that it registers.

Pulumi's own mocks hide what matters here (protection, dependencies, secretness), so the recording
happens at the monitor, where the engine would listen.
"""

import asyncio
import contextvars
import datetime
import json
import runpy
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from google.protobuf import empty_pb2
from pulumi.output import Unknown
from pulumi.runtime import rpc, settings, stack
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockMonitor, set_mocks
from pulumi.runtime.settings import get_project, get_stack

from policy.compressed import decompressed
from policy.settings import advice
from tests.components.cloud import SECRET_MARK, Answers, Cloud

PROJECT = "ping8-mail"
MAIN = Path(__file__).parents[2] / "__main__.py"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource as the engine hears of it. `secret` names the inputs that were marked."""

    type: str
    name: str
    urn: str
    parent: str
    inputs: Mapping[str, Any]
    custom: bool = True
    read: bool = False
    secret: frozenset[str] = frozenset()
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool = False
    replacement_trigger: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    dependencies: frozenset[str] = frozenset()
    property_dependencies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    on_error: tuple[str, ...] = ()
    before_create: tuple[str, ...] = ()
    before_update: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One call of a provider's function."""

    token: str
    args: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Program:
    """All that one run of the program did."""

    registrations: tuple[Registration, ...]
    invocations: tuple[Invocation, ...]
    outputs: Mapping[str, Any]
    secret_outputs: frozenset[str]
    finished: frozenset[str]
    """URNs of components that registered their outputs."""

    def of_type(self, kind: str) -> tuple[Registration, ...]:
        """Resources of one type; `aws:ec2/eip:Eip` or its last part."""
        return tuple(
            found
            for found in self.registrations
            if found.type == kind or found.type.endswith(f":{kind}")
        )

    def one(self, kind: str, name: str) -> Registration:
        """The resource of that type and name."""
        (found,) = (item for item in self.of_type(kind) if item.name == name)
        return found

    def __iter__(self) -> Iterator[Registration]:
        return iter(self.registrations)


class _Recorder(MockMonitor):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.registrations: list[Registration] = []
        self.invocations: list[Invocation] = []
        self.outputs: dict[str, Any] = {}
        self.finished: set[str] = set()

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine makes it: with the types of all ancestors but the stack."""
        above = parent.split("::")[2] if parent else "pulumi:pulumi:Stack"
        qualified = type_ if above == "pulumi:pulumi:Stack" else f"{above}${type_}"
        return f"urn:pulumi:{get_stack()}::{get_project()}::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            self._note(request, response.urn)
        return response

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        response = super().ReadResource(request)  # type: ignore[no-untyped-call]
        inputs, secret = _plain(request.properties)
        self.registrations.append(
            Registration(
                type=request.type,
                name=request.name,
                urn=response.urn,
                parent=request.parent,
                inputs={**inputs, "id": request.id},
                read=True,
                secret=secret,
                dependencies=frozenset(request.dependencies),
            )
        )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self.finished.add(request.urn)
        if "pulumi:pulumi:Stack" in request.urn:
            self.outputs = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def RegisterResourceHook(self, request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def RegisterErrorHook(self, request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        if not request.tok.startswith("pulumi:"):
            args, _ = _plain(request.args)
            self.invocations.append(Invocation(token=request.tok, args=args))
        return super().Invoke(request)  # type: ignore[no-untyped-call]

    def _note(self, request: Any, urn: str) -> None:
        inputs, secret = _plain(request.object)
        self.registrations.append(
            Registration(
                type=request.type,
                name=request.name,
                urn=urn,
                parent=request.parent,
                inputs=inputs,
                custom=request.custom,
                secret=secret,
                protect=request.protect,
                retain_on_delete=request.retainOnDelete,
                delete_before_replace=request.deleteBeforeReplace,
                replacement_trigger=tuple(
                    value.string_value for value in request.replacement_trigger.list_value.values
                ),
                ignore_changes=tuple(request.ignoreChanges),
                dependencies=frozenset(request.dependencies),
                property_dependencies={
                    key: frozenset(found.urns)
                    for key, found in request.propertyDependencies.items()
                },
                aliases=tuple(alias.urn for alias in request.aliases),
                additional_secret_outputs=tuple(request.additionalSecretOutputs),
                on_error=tuple(request.hooks.on_error),
                before_create=tuple(request.hooks.before_create),
                before_update=tuple(request.hooks.before_update),
            )
        )


def run(
    config: Mapping[str, Any],
    secrets: Mapping[str, Any] | None = None,
    *,
    preview: bool = False,
    environment: str = "test",
    program: Callable[[], Any] | None = None,
    examples: bool = True,
    answers: Answers | None = None,
) -> Program:
    """One run with these keys of the stack file; `aws:region` is given unless it is there.

    Names of the documentation are taken as real ones, as long as `examples` says so. `answers`
    replaces those of some of AWS's functions.
    """
    cloud = Cloud(preview=preview, answers=answers)
    context = contextvars.copy_context()
    with mock.patch.object(advice, "examples_left", lambda _: ()) if examples else nullcontext():
        return context.run(_run, config, secrets or {}, cloud, environment, program or _main)


def _main() -> None:
    runpy.run_path(str(MAIN), run_name="__main__")


def _run(
    config: Mapping[str, Any],
    secrets: Mapping[str, Any],
    cloud: Cloud,
    environment: str,
    program: Callable[[], Any],
) -> Program:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        monitor = _Recorder(cloud)
        set_mocks(monitor.mocks, PROJECT, environment, cloud.preview, monitor=monitor)
        settings.set_root_resource(None)  # type: ignore[arg-type] # forget that of set_mocks
        settings.SETTINGS.outputs.clear()
        values = {"aws:region": "eu-central-1", **_keys(config), **_keys(secrets)}
        set_all_config(values, list(_keys(secrets)))
        loop.run_until_complete(stack.run_in_stack(program))
    finally:
        _cancel_rest(loop)
        loop.close()
        asyncio.set_event_loop(None)
    return Program(
        registrations=tuple(monitor.registrations),
        invocations=tuple(monitor.invocations),
        outputs={key: plain(value) for key, value in monitor.outputs.items()},
        secret_outputs=frozenset(
            key for key, value in monitor.outputs.items() if contains_secret(value)
        ),
        finished=frozenset(monitor.finished),
    )


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    """What a failed run leaves behind."""
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))


def _keys(values: Mapping[str, Any]) -> dict[str, str]:
    """As the engine hands them on: full keys, and JSON for what is not a text."""
    return {
        key if ":" in key else f"{PROJECT}:{key}": value
        if isinstance(value, str)
        else json.dumps(value, default=_as_go_prints)
        for key, value in values.items()
    }


def _as_go_prints(value: Any) -> str:
    """The engine reads a date without quotes as a time, and writes it as Go does."""
    if isinstance(value, datetime.date):
        return f"{value} 00:00:00 +0000 UTC"
    raise TypeError(f"no stack file holds a {type(value).__name__}")


def _plain(struct: Any) -> tuple[dict[str, Any], frozenset[str]]:
    values = rpc.deserialize_properties(struct, keep_unknowns=True)
    secret = frozenset(key for key, value in values.items() if contains_secret(value))
    return {key: plain(value) for key, value in values.items()}, secret


def plain(value: Any) -> Any:
    """The value without the marks of secrecy, at every depth."""
    if isinstance(value, Mapping):
        if SECRET_MARK in value:
            return plain(value["value"])
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def contains_secret(value: Any) -> bool:
    """Whether any part of the value is marked as secret."""
    if isinstance(value, Mapping):
        return SECRET_MARK in value or any(contains_secret(item) for item in value.values())
    return isinstance(value, list) and any(contains_secret(item) for item in value)


def pushed(push: Registration) -> Any:
    """The bundle that a push hands over."""
    return json.loads(decompressed(push.inputs["stdin"]))


def unknown(value: Any) -> bool:
    """Whether a preview cannot know the value, or a part of it."""
    if isinstance(value, Mapping):
        return any(unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(unknown(item) for item in value)
    return isinstance(value, Unknown)
