"""Engines that are connected: their settings, and the log that each of them keeps."""

import json
import logging
from dataclasses import dataclass, field
from functools import cache

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from standins.pulumi.properties import Properties, Value

_LOG = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Session:
    """One connection: explicit providers of one package differ by it alone."""

    engine_address: str = ""
    config: Properties = field(default_factory=dict)

    def log(self, urn: str, severity: str, message: str) -> None:
        """Reports to the engine; best effort, as an engine that is gone must not fail the work."""
        if not self.engine_address:
            return
        level = engine_pb2.LogSeverity.Value(severity)
        request = engine_pb2.LogRequest(severity=level, message=message, urn=urn)
        try:
            _engine(self.engine_address).Log(request, timeout=5)
        except grpc.RpcError:
            _LOG.warning("the engine at %s takes no log", self.engine_address)


def parsed(value: Value) -> Value:
    """Settings that are not strings reach a provider as JSON."""
    if (isinstance(value, str) and value[:1] in '[{"') or value in ("true", "false"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


@cache
def _engine(address: str) -> engine_pb2_grpc.EngineStub:
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))
