"""Puts into moto what it lacks: rules before its methods, acts after them, methods in their place.

A rule depends on what the account already has, and runs under the server's lock, so two updates
side by side cannot both take the last address.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from moto.ec2.exceptions import EC2ClientError

from standins.pulumi.aws.tables import table

Moto = Any
Asked = dict[str, Any]
"""The arguments of one of moto's methods by their names."""

_Own = TypeVar("_Own")


def instead(owner: Moto, name: str) -> Callable[[_Own], _Own]:
    """Puts what follows in the place of that member of moto's."""

    def put(own: _Own) -> _Own:
        setattr(owner, name, own)
        return own

    return put


def before(backend: Moto, name: str) -> Callable[[_Own], _Own]:
    """Puts a rule about the arguments before that method of the backend."""
    method = getattr(backend, name)
    signature = inspect.signature(method)

    def put(rule: Moto) -> Moto:
        @functools.wraps(method)
        def guarded(self: Moto, *arguments: Moto, **named: Moto) -> Moto:
            asked = signature.bind(self, *arguments, **named).arguments
            rule(self, {**asked, **asked.get("kwargs", {})})
            return method(self, *arguments, **named)

        setattr(backend, name, guarded)
        return rule

    return put


def after(backend: Moto, name: str) -> Callable[[_Own], _Own]:
    """Puts an act on the backend and the method's result after that method."""
    method = getattr(backend, name)

    def put(act: Moto) -> Moto:
        @functools.wraps(method)
        def followed(self: Moto, *arguments: Moto, **named: Moto) -> Moto:
            result = method(self, *arguments, **named)
            act(self, result)
            return result

        setattr(backend, name, followed)
        return act

    return put


def refuse(which: str, **values: object) -> NoReturn:
    """Answers with that error of EC2 from refusals.yaml."""
    code, message = table("refusals")[which]
    raise EC2ClientError(code, message.format(**values))
