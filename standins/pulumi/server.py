# ruff: noqa: N802, ARG002 - gRPC gives the methods their names and arguments
"""The gRPC side of a stand-in provider: what the engine asks, put to plain resource handlers."""

import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
)

from standins.pulumi.errors import InvalidInputs, ProviderError
from standins.pulumi.properties import (
    UNKNOWN,
    Properties,
    conceal,
    decode,
    encode,
    has_secret,
    has_unknown,
    reveal,
)
from standins.pulumi.resource import Call, Resource, compare, preview_outputs, previous
from standins.pulumi.sessions import Session, Sessions

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


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one provider to any number of engines at once."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._sessions = Sessions()

    # The engine's handshake and settings

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        self._session(context).engine_address = request.engine_address
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(
        self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        self._session(context).engine_address = request.address
        return empty_pb2.Empty()

    def GetPluginInfo(
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._provider.version)

    def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        schema = {"name": self._provider.name, "version": self._provider.version}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        known = self._provider.settings | {"version", "pluginDownloadURL"}
        names = [name for name in request.news.fields if not name.startswith("__")]
        failures = [
            provider_pb2.CheckFailure(property=name, reason=f"unknown setting '{name}'")
            for name in names
            if name not in known
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        same = reveal(decode(request.old_inputs or request.olds)) == reveal(decode(request.news))
        changes = (
            provider_pb2.DiffResponse.DIFF_NONE if same else provider_pb2.DiffResponse.DIFF_SOME
        )
        return provider_pb2.DiffResponse(changes=changes)

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        given = reveal(decode(request.args))
        for key, value in request.variables.items():
            given.setdefault(key.rsplit(":", 1)[-1], value)
        self._session(context).configure(given)
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    # Resources

    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        news = decode(request.news)
        try:
            resource = self._resource(request.urn)
            call = self._call(request.urn, context, news)
            checked = resource.check(call, reveal(decode(request.olds)), reveal(news))
        except InvalidInputs as error:
            failures = [
                provider_pb2.CheckFailure(property=refusal.path, reason=refusal.reason)
                for refusal in error.refusals
            ]
            return provider_pb2.CheckResponse(failures=failures)
        except Exception as error:
            _abort(context, error, f"check {request.urn}")
        marked = {
            name: news[name] if name in news and reveal(news[name]) == value else value
            for name, value in checked.items()
        }
        return provider_pb2.CheckResponse(inputs=encode(marked))

    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        try:
            resource = self._resource(request.urn)
            olds, news = reveal(decode(request.old_inputs)), reveal(decode(request.news))
            changes = resource.changes(olds, news)
        except Exception as error:
            _abort(context, error, f"diff {request.urn}")
        replaces = [change.name for change in changes if change.replaces]
        response = provider_pb2.DiffResponse
        return response(
            changes=response.DIFF_SOME if changes else response.DIFF_NONE,
            diffs=[change.name for change in changes],
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and _delete_first(resource, olds, news),
            hasDetailedDiff=True,
            detailedDiff={
                change.name: provider_pb2.PropertyDiff(
                    kind=change.kind + ("_REPLACE" if change.replaces else ""),  # type: ignore[arg-type]
                    inputDiff=True,
                )
                for change in changes
            },
        )

    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        marked = decode(request.properties)
        inputs = reveal(marked)
        try:
            resource = self._resource(request.urn)
            if request.preview:
                outputs = self._marked(resource, marked, preview_outputs(resource, inputs))
                return provider_pb2.CreateResponse(properties=encode(outputs))
            call = self._call(request.urn, context, marked)
            identity, state = resource.create(call, inputs)
            outputs = self._marked(resource, marked, state)
            return provider_pb2.CreateResponse(id=identity, properties=encode(outputs))
        except Exception as error:
            _abort(context, error, f"create {request.urn}")

    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        inputs, state = decode(request.inputs), decode(request.properties)
        try:
            resource = self._resource(request.urn)
            call = self._call(request.urn, context, {**state, **inputs})
            found = resource.read(call, request.id, reveal(inputs), reveal(state))
        except Exception as error:
            _abort(context, error, f"read {request.urn}")
        if found is None:
            return provider_pb2.ReadResponse()
        present, outputs = found
        return provider_pb2.ReadResponse(
            id=request.id,
            inputs=encode(self._marked(resource, inputs, present)),
            properties=encode(self._marked(resource, {**state, **inputs}, outputs)),
        )

    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        olds, marked = decode(request.olds), decode(request.news)
        news = reveal(marked)
        try:
            resource = self._resource(request.urn)
            if request.preview:
                unknown: Properties = dict.fromkeys(resource.traits.volatile, UNKNOWN)
                state = {**reveal(olds), **unknown, **news}
            else:
                call = self._call(request.urn, context, marked)
                before = previous(resource, reveal(decode(request.old_inputs)), reveal(olds))
                state = resource.update(call, request.id, before, news)
        except Exception as error:
            _abort(context, error, f"update {request.urn}")
        outputs = self._marked(resource, marked, state)
        return provider_pb2.UpdateResponse(properties=encode(outputs))

    def Delete(
        self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        marked = decode(request.properties)
        try:
            resource = self._resource(request.urn)
            call = self._call(request.urn, context, marked)
            resource.delete(call, request.id, reveal(marked))
        except Exception as error:
            _abort(context, error, f"delete {request.urn}")
        return empty_pb2.Empty()

    def Invoke(
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        arguments = decode(request.args)
        try:
            function = self._function(request.tok)
            result = function(self._call("", context, arguments), reveal(arguments))
        except InvalidInputs as error:
            failures = [
                provider_pb2.CheckFailure(property=refusal.path, reason=refusal.reason)
                for refusal in error.refusals
            ]
            return provider_pb2.InvokeResponse(failures=failures)
        except Exception as error:
            _abort(context, error, f"invoke {request.tok}")
        if has_secret(arguments):
            result = conceal(result, result)
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(encode(result))
        return response

    # Helpers

    def _session(self, context: grpc.ServicerContext) -> Session:
        return self._sessions.of(context.peer())

    def _resource(self, urn: str) -> Resource:
        token = urn.split("::")[2].rsplit("$", 1)[-1]
        resource = self._provider.resources.get(token)
        if resource is None:
            raise ProviderError(f"the sandbox's {self._provider.name} provider has no {token}")
        return resource

    def _function(self, token: str) -> Function:
        function = self._provider.functions.get(token)
        if function is None:
            raise ProviderError(f"the sandbox's {self._provider.name} provider has no {token}")
        return function

    def _call(self, urn: str, context: grpc.ServicerContext, inputs: Properties) -> Call:
        session = self._session(context)
        return Call(
            urn=urn,
            config=session.config,
            log=lambda severity, message: session.log(urn, severity, message),
            secret_inputs=frozenset(name for name, value in inputs.items() if has_secret(value)),
        )

    @staticmethod
    def _marked(resource: Resource, marked: Properties, outputs: Properties) -> Properties:
        secret = {name for name, value in marked.items() if has_secret(value)}
        if secret and resource.traits.spreads_secrets:
            secret |= resource.traits.volatile
        return conceal(outputs, secret | resource.traits.secrets)


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


def _delete_first(resource: Resource, olds: Properties, news: Properties) -> bool:
    """Two cannot stand side by side when both bear the one name that the program gave."""
    if resource.traits.delete_before_replace:
        return True
    name = resource.traits.autoname
    if name is None or "__defaults" in news or has_unknown(news.get(name)):
        return False
    return name in news and not any(
        change.name == name for change in compare(resource.traits, olds, news)
    )


def _abort(context: grpc.ServicerContext, error: Exception, action: str) -> NoReturn:
    if not isinstance(error, ProviderError):
        _LOG.exception("%s failed", action)
    context.abort(grpc.StatusCode.UNKNOWN, str(error) or type(error).__name__)
    raise error
