"""Plays the engine: gRPC to a provider, with plain values and their marks."""

from dataclasses import dataclass
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from standins.pulumi.properties import Properties, Value, decode, encode, reveal


@dataclass(frozen=True, kw_only=True)
class Made:
    """A resource as the engine keeps it."""

    kind: str
    name: str
    identity: str
    inputs: Properties
    state: Properties

    def written(self, **more: Value) -> Properties:
        """The inputs as a program wrote them, with some changed."""
        made_up = ("__defaults", "tagsAll")
        return {**{k: v for k, v in self.inputs.items() if k not in made_up}, **more}


class Refused(Exception):
    """A check that failed; its text has each path and reason."""


class Engine:
    """One connection to one provider."""

    def __init__(self, port: int) -> None:
        # A connection of its own, as each of the engine's providers has.
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", 100 * 1024 * 1024),
        ]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
        self._stub: Any = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def configure(self, **settings: str) -> None:
        variables = {f"aws:config:{name}": value for name, value in settings.items()}
        self._stub.Configure(provider_pb2.ConfigureRequest(variables=variables))

    def check(
        self, kind: str, name: str, news: Properties, olds: Properties | None = None
    ) -> Properties:
        request = provider_pb2.CheckRequest(
            urn=_urn(kind, name), olds=encode(olds or {}), news=encode(news)
        )
        answer = self._stub.Check(request)
        if answer.failures:
            raise Refused("; ".join(f"{each.property}: {each.reason}" for each in answer.failures))
        return decode(answer.inputs)

    def create(self, kind: str, name: str, news: Properties) -> Made:
        inputs = self.check(kind, name, news)
        answer = self._stub.Create(
            provider_pb2.CreateRequest(urn=_urn(kind, name), properties=encode(inputs))
        )
        return Made(
            kind=kind, name=name, identity=answer.id, inputs=inputs, state=decode(answer.properties)
        )

    def preview(self, kind: str, name: str, news: Properties) -> Properties:
        inputs = self.check(kind, name, news)
        answer = self._stub.Create(
            provider_pb2.CreateRequest(
                urn=_urn(kind, name), properties=encode(inputs), preview=True
            )
        )
        return decode(answer.properties)

    def diff(self, made: Made, news: Properties) -> Any:
        inputs = self.check(made.kind, made.name, news, made.inputs)
        return self._stub.Diff(
            provider_pb2.DiffRequest(
                urn=_urn(made.kind, made.name),
                id=made.identity,
                olds=encode(made.state),
                old_inputs=encode(made.inputs),
                news=encode(inputs),
            )
        )

    def update(self, made: Made, news: Properties) -> Made:
        inputs = self.check(made.kind, made.name, news, made.inputs)
        answer = self._stub.Update(
            provider_pb2.UpdateRequest(
                urn=_urn(made.kind, made.name),
                id=made.identity,
                olds=encode(made.state),
                old_inputs=encode(made.inputs),
                news=encode(inputs),
            )
        )
        return Made(
            kind=made.kind,
            name=made.name,
            identity=made.identity,
            inputs=inputs,
            state=decode(answer.properties),
        )

    def read(self, made: Made) -> Made | None:
        answer = self._stub.Read(
            provider_pb2.ReadRequest(
                urn=_urn(made.kind, made.name),
                id=made.identity,
                inputs=encode(made.inputs),
                properties=encode(made.state),
            )
        )
        if not answer.id:
            return None
        return Made(
            kind=made.kind,
            name=made.name,
            identity=answer.id,
            inputs=decode(answer.inputs),
            state=decode(answer.properties),
        )

    def delete(self, made: Made) -> None:
        self._stub.Delete(
            provider_pb2.DeleteRequest(
                urn=_urn(made.kind, made.name), id=made.identity, properties=encode(made.state)
            )
        )

    def invoke(self, token: str, **arguments: Any) -> Properties:
        answer = self._stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=encode(arguments)))
        if answer.failures:
            raise Refused("; ".join(f"{each.property}: {each.reason}" for each in answer.failures))
        return dict(reveal(decode(getattr(answer, "return"))))


def error_of(caught: Any) -> str:
    """What the provider said when a request failed."""
    return str(caught.value.details())


def _urn(kind: str, name: str) -> str:
    return f"urn:pulumi:test::ping8-mail::{kind}::{name}"
