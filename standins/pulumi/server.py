# ruff: noqa: N802, ARG002 - gRPC gives the methods their names and arguments
"""The gRPC side of a stand-in provider: passes the engine's requests to resource handlers."""

import functools
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from grpc import ServicerContext as Context
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as pb

from standins.pulumi.errors import InvalidInputs, ProviderError
from standins.pulumi.properties import (
    UNKNOWN,
    Properties,
    Value,
    conceal,
    decode,
    encode,
    has_secret,
    has_unknown,
    reveal,
)
from standins.pulumi.resource import Call, Resource, preview_outputs, previous

_LOG = logging.getLogger(__name__)
_MAX_MESSAGE = 400 * 1024 * 1024

Function = Callable[[Call, Properties], Properties]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One package: its resources and functions by token, and which settings it accepts."""

    name: str
    version: str
    resources: Mapping[str, Resource]
    functions: Mapping[str, Function] = field(default_factory=dict)
    settings: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Session:
    """One connection: explicit providers of one package differ by it alone."""

    engine_address: str = ""
    config: Properties = field(default_factory=dict)

    def log(self, urn: str, severity: str, message: str) -> None:
        """Logs to the engine; best effort: an engine that is gone must not fail the work."""
        if not self.engine_address:
            return
        level = engine_pb2.LogSeverity.Value(severity)
        request = engine_pb2.LogRequest(severity=level, message=message, urn=urn)
        try:
            _engine(self.engine_address).Log(request, timeout=5)
        except grpc.RpcError:
            _LOG.warning("the engine at %s takes no log", self.engine_address)


def _parsed(value: Value) -> Value:
    """Settings that are not strings reach a provider as JSON."""
    if (isinstance(value, str) and value[:1] in '[{"') or value in ("true", "false"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


@functools.cache
def _engine(address: str) -> engine_pb2_grpc.EngineStub:
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))


_Item = TypeVar("_Item")
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _reported(method: _Method) -> _Method:
    """Errors become one line that the engine shows; unexpected ones are logged too."""

    @functools.wraps(method)
    def called(self: "Servicer", request: Any, context: Context) -> Any:
        try:
            return method(self, request, context)
        except Exception as error:
            if not isinstance(error, ProviderError):
                _LOG.exception("%s failed", method.__name__)
            context.abort(grpc.StatusCode.UNKNOWN, str(error) or type(error).__name__)

    return called  # type: ignore[return-value]


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one provider to any number of engines at once."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._sessions: dict[str, Session] = {}

    # The engine's handshake and settings

    def Handshake(
        self, request: pb.ProviderHandshakeRequest, context: Context
    ) -> pb.ProviderHandshakeResponse:
        self._session(context).engine_address = request.engine_address
        return pb.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: plugin_pb2.PluginAttach, context: Context) -> Empty:
        self._session(context).engine_address = request.address
        return Empty()

    def GetPluginInfo(self, request: Empty, context: Context) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._provider.version)

    def GetSchema(self, request: pb.GetSchemaRequest, context: Context) -> pb.GetSchemaResponse:
        schema = {"name": self._provider.name, "version": self._provider.version}
        return pb.GetSchemaResponse(schema=json.dumps(schema))

    def Cancel(self, request: Empty, context: Context) -> Empty:
        return Empty()

    def CheckConfig(self, request: pb.CheckRequest, context: Context) -> pb.CheckResponse:
        known = self._provider.settings | {"version", "pluginDownloadURL"}
        failures = [
            pb.CheckFailure(property=name, reason=f"unknown setting '{name}'")
            for name in request.news.fields
            if name not in known and not name.startswith("__")
        ]
        return pb.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: pb.DiffRequest, context: Context) -> pb.DiffResponse:
        same = reveal(decode(request.old_inputs or request.olds)) == reveal(decode(request.news))
        response = pb.DiffResponse
        return response(changes=response.DIFF_NONE if same else response.DIFF_SOME)

    def Configure(self, request: pb.ConfigureRequest, context: Context) -> pb.ConfigureResponse:
        given = reveal(decode(request.args))
        for key, value in request.variables.items():
            given.setdefault(key.rsplit(":", 1)[-1], value)
        config = {name: _parsed(value) for name, value in given.items()}
        self._session(context).config = config
        return pb.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    # Resources

    @_reported
    def Check(self, request: pb.CheckRequest, context: Context) -> pb.CheckResponse:
        news = decode(request.news)
        call = self._call(request.urn, context)
        try:
            olds = reveal(decode(request.olds))
            checked = self._resource(request.urn).check(call, olds, reveal(news))
        except InvalidInputs as error:
            return pb.CheckResponse(failures=_failures(error))
        marked = {
            name: news[name] if name in news and reveal(news[name]) == value else value
            for name, value in checked.items()
        }
        return pb.CheckResponse(inputs=encode(marked))

    @_reported
    def Diff(self, request: pb.DiffRequest, context: Context) -> pb.DiffResponse:
        resource = self._resource(request.urn)
        olds, news = reveal(decode(request.old_inputs)), reveal(decode(request.news))
        changes = resource.changes(olds, news)
        names = [change.name for change in changes]
        replaces = [change.name for change in changes if change.replaces]
        response = pb.DiffResponse
        return response(
            changes=response.DIFF_SOME if changes else response.DIFF_NONE,
            diffs=names,
            replaces=replaces,
            deleteBeforeReplace=bool(replaces)
            and _delete_first(resource.traits.autoname, names, news),
            hasDetailedDiff=True,
            detailedDiff={
                change.name: pb.PropertyDiff(
                    kind=change.kind + ("_REPLACE" if change.replaces else ""),  # type: ignore[arg-type]
                    inputDiff=True,
                )
                for change in changes
            },
        )

    @_reported
    def Create(self, request: pb.CreateRequest, context: Context) -> pb.CreateResponse:
        resource, marked = self._resource(request.urn), decode(request.properties)
        inputs, identity = reveal(marked), ""
        if request.preview:
            state = preview_outputs(resource, inputs)
        else:
            identity, state = resource.create(self._call(request.urn, context), inputs)
        outputs = encode(self._marked(resource, marked, state))
        return pb.CreateResponse(id=identity, properties=outputs)

    @_reported
    def Read(self, request: pb.ReadRequest, context: Context) -> pb.ReadResponse:
        resource = self._resource(request.urn)
        inputs, state = decode(request.inputs), decode(request.properties)
        call = self._call(request.urn, context)
        found = resource.read(call, request.id, reveal(inputs), reveal(state))
        if found is None:
            return pb.ReadResponse()
        present, outputs = found
        return pb.ReadResponse(
            id=request.id,
            inputs=encode(self._marked(resource, inputs, present)),
            properties=encode(self._marked(resource, {**state, **inputs}, outputs)),
        )

    @_reported
    def Update(self, request: pb.UpdateRequest, context: Context) -> pb.UpdateResponse:
        resource = self._resource(request.urn)
        olds, marked = reveal(decode(request.olds)), decode(request.news)
        news = reveal(marked)
        if request.preview:
            state = {**olds, **dict.fromkeys(resource.traits.volatile, UNKNOWN), **news}
        else:
            before = previous(resource, reveal(decode(request.old_inputs)), olds)
            call = self._call(request.urn, context)
            state = resource.update(call, request.id, before, news)
        return pb.UpdateResponse(properties=encode(self._marked(resource, marked, state)))

    @_reported
    def Delete(self, request: pb.DeleteRequest, context: Context) -> Empty:
        marked = decode(request.properties)
        call = self._call(request.urn, context)
        self._resource(request.urn).delete(call, request.id, reveal(marked))
        return Empty()

    @_reported
    def Invoke(self, request: pb.InvokeRequest, context: Context) -> pb.InvokeResponse:
        arguments = decode(request.args)
        function = self._known(self._provider.functions, request.tok)
        try:
            result = function(self._call("", context), reveal(arguments))
        except InvalidInputs as error:
            return pb.InvokeResponse(failures=_failures(error))
        if has_secret(arguments):
            result = conceal(result, result)
        response = pb.InvokeResponse()
        getattr(response, "return").CopyFrom(encode(result))
        return response

    # Helpers

    def _session(self, context: Context) -> Session:
        return self._sessions.setdefault(context.peer(), Session())

    def _resource(self, urn: str) -> Resource:
        return self._known(self._provider.resources, urn.split("::")[2].rsplit("$", 1)[-1])

    def _known(self, items: Mapping[str, _Item], token: str) -> _Item:
        if token not in items:
            raise ProviderError(f"the sandbox's {self._provider.name} provider has no {token}")
        return items[token]

    def _call(self, urn: str, context: Context) -> Call:
        session = self._session(context)
        return Call(
            urn=urn,
            config=session.config,
            log=lambda severity, message: session.log(urn, severity, message),
        )

    @staticmethod
    def _marked(resource: Resource, marked: Properties, outputs: Properties) -> Properties:
        secret = {name for name, value in marked.items() if has_secret(value)}
        if secret and resource.traits.spreads_secrets:
            secret |= resource.traits.volatile
        return conceal(outputs, secret | resource.traits.secrets)


def _failures(error: InvalidInputs) -> list[pb.CheckFailure]:
    return [pb.CheckFailure(property=each.path, reason=each.reason) for each in error.refusals]


def serve(provider: Provider, address: str = "127.0.0.1") -> tuple[Any, int]:
    """A running gRPC server for the provider, and its port."""
    options = [
        ("grpc.max_receive_message_length", _MAX_MESSAGE),
        ("grpc.max_send_message_length", _MAX_MESSAGE),
    ]
    # A remote command holds its thread for as long as it runs.
    server = grpc.server(ThreadPoolExecutor(max_workers=64), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider), server)
    port = server.add_insecure_port(f"{address}:0")
    server.start()
    return server, port


def _delete_first(name: str | None, changed: list[str], news: Properties) -> bool:
    """Both cannot exist if the program gave them the same name."""
    if name is None or "__defaults" in news or has_unknown(news.get(name)):
        return False
    return name in news and name not in changed
