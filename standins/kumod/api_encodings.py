"""Digests, encodings and UUIDs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from standins.kumod.errors import KumoError
from standins.kumod.objects import LuaObject
from standins.kumod.registry import api

if TYPE_CHECKING:
    from standins.kumod.lua import LuaContext

from standins.kumod.api_strings import lua_text as _text

# Digests ------------------------------------------------------------------------


class Digest(LuaObject):
    """A digest: its bytes, and its hex and base64 forms."""

    kind = "Digest"

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def field(self, name: str) -> Any:
        match name:
            case "bytes":
                return self.raw
            case "hex":
                return self.raw.hex()
            case "base64":
                return base64.b64encode(self.raw).decode()
        return None

    def __str__(self) -> str:
        return self.raw.hex()


def _joined(values: tuple[Any, ...]) -> bytes:
    return b"".join(_text(value).encode("utf-8", "surrogateescape") for value in values)


def _digest_api(name: str, algorithm: str) -> None:
    @api(f"kumo.digest.{name}")
    def digest(_ctx: LuaContext, *values: Any) -> Digest:
        return Digest(hashlib.new(algorithm, _joined(values)).digest())

    @api(f"kumo.digest.hmac_{name}")
    def keyed(_ctx: LuaContext, key: Any, *values: Any) -> Digest:
        return Digest(hmac.new(_joined((key,)), _joined(values), algorithm).digest())


for _name, _algorithm in (
    ("sha1", "sha1"), ("sha224", "sha224"), ("sha256", "sha256"), ("sha384", "sha384"),
    ("sha512", "sha512"), ("sha512_256", "sha512_256"), ("sha3_256", "sha3_256"),
    ("sha3_384", "sha3_384"), ("sha3_512", "sha3_512"),
):  # fmt: skip
    if _algorithm in hashlib.algorithms_available:
        _digest_api(_name, _algorithm)


@api("kumo.digest.crc32")
def crc32(_ctx: LuaContext, *values: Any) -> int:
    return zlib.crc32(_joined(values))


# Encodings ----------------------------------------------------------------------


def _strip_encode(encode: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda raw: encode(raw).rstrip(b"=")


def _pad(decode: Callable[[bytes], bytes], size: int) -> Callable[[bytes], bytes]:
    return lambda raw: decode(raw + b"=" * (-len(raw) % size))


_CODECS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "base64": (base64.b64encode, lambda raw: base64.b64decode(raw, validate=True)),
    "base64_nopad": (_strip_encode(base64.b64encode), _pad(base64.b64decode, 4)),
    "base64url": (base64.urlsafe_b64encode, base64.urlsafe_b64decode),
    "base64url_nopad": (_strip_encode(base64.urlsafe_b64encode), _pad(base64.urlsafe_b64decode, 4)),
    "base32": (base64.b32encode, base64.b32decode),
    "base32_nopad": (_strip_encode(base64.b32encode), _pad(base64.b32decode, 8)),
    "base32hex": (base64.b32hexencode, base64.b32hexdecode),
    "base32hex_nopad": (_strip_encode(base64.b32hexencode), _pad(base64.b32hexdecode, 8)),
    "hex": (lambda raw: raw.hex().encode(), lambda raw: bytes.fromhex(raw.decode())),
}


def _codec_api(
    name: str, encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes]
) -> None:
    @api(f"kumo.encode.{name}_encode")
    def encoded(_ctx: LuaContext, value: Any) -> bytes:
        return encode(_joined((value,)))

    @api(f"kumo.encode.{name}_decode")
    def decoded(_ctx: LuaContext, value: Any) -> bytes:
        try:
            return decode(_joined((value,)))
        except ValueError as error:
            raise KumoError(str(error)) from None


for _name, (_encode, _decode) in _CODECS.items():
    _codec_api(_name, _encode, _decode)


@api("kumo.uuid.new_v1", "kumo.uuid.new_v6")
def uuid_v1(_ctx: LuaContext) -> Uuid:
    return Uuid(uuid.uuid1())


@api("kumo.uuid.new_v4", "kumo.uuid.new_v7")
def uuid_v4(_ctx: LuaContext) -> Uuid:
    return Uuid(uuid.uuid4())


@api("kumo.uuid.parse")
def uuid_parse(_ctx: LuaContext, text: str) -> Uuid:
    try:
        return Uuid(uuid.UUID(text))
    except ValueError as error:
        raise KumoError(str(error)) from None


class Uuid(LuaObject):
    """A UUID in its forms."""

    kind = "Uuid"

    def __init__(self, value: uuid.UUID) -> None:
        self.value = value

    def field(self, name: str) -> Any:
        match name:
            case "hyphenated":
                return str(self.value)
            case "simple":
                return self.value.hex
            case "bytes":
                return self.value.bytes
            case "urn":
                return self.value.urn
            case "braced":
                return f"{{{self.value}}}"
        return None

    def __str__(self) -> str:
        return str(self.value)
