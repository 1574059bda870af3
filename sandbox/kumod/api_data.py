"""Pure functions: serialization, strings, digests, encodings, UUIDs, patterns, CIDR maps."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
import tomllib
import uuid
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from sandbox.kumod.errors import KumoError
from sandbox.kumod.objects import LuaObject
from sandbox.kumod.registry import api, method
from sandbox.kumod.templates import render
from sandbox.kumod.toml_writer import toml_text

if TYPE_CHECKING:
    from sandbox.kumod.lua import LuaContext

# Serialization ------------------------------------------------------------------


@api("kumo.json_load", "kumo.serde.json_load")
def json_load(ctx: LuaContext, path: str) -> Any:
    return _load(ctx, path, "json", json.loads)


@api("kumo.toml_load", "kumo.serde.toml_load")
def toml_load(ctx: LuaContext, path: str) -> Any:
    return _load(ctx, path, "toml", tomllib.loads)


@api("kumo.serde.yaml_load")
def yaml_load(ctx: LuaContext, path: str) -> Any:
    return _load(ctx, path, "yaml", yaml.safe_load)


def _load(ctx: LuaContext, path: str, kind: str, parse: Callable[[str], Any]) -> Any:
    if not isinstance(path, str):
        raise KumoError("bad argument #1: error converting Lua value to String")
    text = ctx.engine.read_text(path)
    try:
        return _plain(parse(text))
    except (ValueError, yaml.YAMLError) as error:
        raise KumoError(f"parsing {path} as {kind}: {error}") from None


def _plain(value: Any) -> Any:
    """Dates of TOML and YAML as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)


@api("kumo.json_parse", "kumo.serde.json_parse")
def json_parse(_ctx: LuaContext, text: str) -> Any:
    return _parse("json", json.loads, text)


@api("kumo.toml_parse", "kumo.serde.toml_parse")
def toml_parse(_ctx: LuaContext, text: str) -> Any:
    return _parse("toml", tomllib.loads, text)


@api("kumo.serde.yaml_parse")
def yaml_parse(_ctx: LuaContext, text: str) -> Any:
    return _parse("yaml", yaml.safe_load, text)


def _parse(kind: str, parse: Callable[[str], Any], text: str) -> Any:
    if not isinstance(text, str):
        raise KumoError("bad argument #1: error converting Lua value to String")
    try:
        return _plain(parse(text))
    except (ValueError, yaml.YAMLError) as error:
        raise KumoError(f"parsing value as {kind}: {error}") from None


def jsonable(value: Any) -> Any:
    """Objects by their fields, bytes as text."""
    if isinstance(value, Mapping):
        return {key: jsonable(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(element) for element in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, LuaObject):
        try:
            return jsonable(dict(value.pairs()))
        except KumoError:
            return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise KumoError(f"cannot serialize <{type(value).__name__.strip('_')}>")


@api("kumo.json_encode", "kumo.serde.json_encode")
def json_encode(_ctx: LuaContext, value: Any = None) -> str:
    return json.dumps(jsonable(value), separators=(",", ":"), ensure_ascii=False)


@api("kumo.json_encode_pretty", "kumo.serde.json_encode_pretty")
def json_encode_pretty(_ctx: LuaContext, value: Any = None) -> str:
    return json.dumps(jsonable(value), indent=2, ensure_ascii=False)


@api(
    "kumo.toml_encode", "kumo.toml_encode_pretty",
    "kumo.serde.toml_encode", "kumo.serde.toml_encode_pretty",
)  # fmt: skip
def toml_encode(_ctx: LuaContext, value: Any) -> str:
    return toml_text(jsonable(value))


@api("kumo.serde.yaml_encode")
def yaml_encode(_ctx: LuaContext, value: Any) -> str:
    return yaml.safe_dump(jsonable(value), allow_unicode=True, sort_keys=False)


# Strings ----------------------------------------------------------------------


def _text(value: Any, position: int = 1) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, str):
        return value
    raise KumoError(f"bad argument #{position}: error converting Lua value to String")


def _string_api(name: str, function: Callable[..., Any]) -> None:
    @api(f"kumo.string.{name}")
    def call(_ctx: LuaContext, text: Any, *args: Any) -> Any:
        return function(_text(text), *args)


_STRINGS: dict[str, Callable[..., Any]] = {
    "starts_with": lambda text, prefix: text.startswith(prefix),
    "ends_with": lambda text, suffix: text.endswith(suffix),
    "trim": lambda text: text.strip(),
    "trim_start": lambda text: text.lstrip(),
    "trim_end": lambda text: text.rstrip(),
    "replace": lambda text, old, new: text.replace(old, new),
    "replacen": lambda text, old, new, count: text.replace(old, new, int(count)),
    "split": lambda text, separator: text.split(separator),
    "rsplit": lambda text, separator: list(reversed(text.split(separator))),
    "splitn": lambda text, count, separator: text.split(separator, max(int(count) - 1, 0)),
    "rsplitn": lambda text, count, separator: list(
        reversed(text.rsplit(separator, max(int(count) - 1, 0)))
    ),
    "split_whitespace": lambda text: text.split(),
    "split_ascii_whitespace": lambda text: re.split(r"[ \t\n\r\f\v]+", text.strip(" \t\n\r\f\v")),
    "normalize_smtp_response": lambda text: re.sub(
        r"\b[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\b", "{uuid}", text
    ),
}
for _name, _function in _STRINGS.items():
    _string_api(_name, _function)


@api("kumo.string.eval_template")
def eval_template(
    _ctx: LuaContext, name: str, template: str, context: Any = None, dialect: str = "Jinja"
) -> str:
    return render(template, jsonable(context or {}), dialect=dialect, html=name.endswith(".html"))


@api("kumo.string.wrap")
def wrap(_ctx: LuaContext, text: str, soft: int = 75, _hard: int = 900) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > soft:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\r\n\t".join([*lines, line])


@api("kumo.string.psl_domain")
def psl_domain(_ctx: LuaContext, domain: str) -> str | None:
    labels = domain.lower().rstrip(".").split(".")
    suffix = _suffix(labels)
    return ".".join(labels[-(suffix + 1) :]) if len(labels) > suffix else None


@api("kumo.string.psl_suffix")
def psl_suffix(_ctx: LuaContext, domain: str) -> str:
    labels = domain.lower().rstrip(".").split(".")
    return ".".join(labels[-_suffix(labels) :])


def _suffix(labels: list[str]) -> int:
    """Labels in the public suffix: the stand-in knows only the common two-level ones."""
    two = len(labels) > 1 and labels[-2] in ("co", "com", "org", "net", "ac", "gov", "or", "ne")
    return 2 if two and len(labels[-1]) == 2 else 1


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


# Patterns and address maps --------------------------------------------------------


class Regex(LuaObject):
    """A compiled pattern."""

    kind = "Regex"

    def __init__(self, pattern: str) -> None:
        try:
            self.compiled = re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", pattern))
        except re.error as error:
            raise KumoError(f"regex parse error: {error}") from None


@api("regex.compile")
def regex_compile(_ctx: LuaContext, pattern: str) -> Regex:
    return Regex(pattern)


@api("regex.escape")
def regex_escape(_ctx: LuaContext, text: str) -> str:
    return re.escape(text)


def _captures(match: re.Match[str] | None) -> Any:
    if match is None:
        return None
    found: dict[Any, Any] = {0: match[0]}
    found |= {index: group for index, group in enumerate(match.groups(), 1) if group is not None}
    return found | {name: value for name, value in match.groupdict().items() if value is not None}


@method("Regex", "captures")
def regex_captures(_ctx: LuaContext, regex: Regex, text: str) -> Any:
    return _captures(regex.compiled.search(text))


@method("Regex", "is_match")
def regex_is_match(_ctx: LuaContext, regex: Regex, text: str) -> bool:
    return regex.compiled.search(text) is not None


@method("Regex", "find")
def regex_find(_ctx: LuaContext, regex: Regex, text: str) -> str | None:
    match = regex.compiled.search(text)
    return match[0] if match else None


@method("Regex", "find_all")
def regex_find_all(_ctx: LuaContext, regex: Regex, text: str) -> list[str]:
    return [match[0] for match in regex.compiled.finditer(text)]


@method("Regex", "replace")
def regex_replace(_ctx: LuaContext, regex: Regex, text: str, replacement: str) -> str:
    return regex.compiled.sub(re.sub(r"\$(\d+)", r"\\\1", replacement), text)


@method("Regex", "replacen")
def regex_replacen(_ctx: LuaContext, regex: Regex, text: str, limit: int, replacement: str) -> str:
    return regex.compiled.sub(re.sub(r"\$(\d+)", r"\\\1", replacement), text, count=int(limit))


@method("Regex", "split")
def regex_split(_ctx: LuaContext, regex: Regex, text: str) -> list[str]:
    return regex.compiled.split(text)


class CidrMap(LuaObject):
    """Values by network; the longest prefix wins."""

    kind = "CidrMap"

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.entries = [(ipaddress.ip_network(k, strict=False), v) for k, v in entries.items()]

    def field(self, name: str) -> Any:
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return None
        hits = [(net.prefixlen, value) for net, value in self.entries if address in net]
        return max(hits, key=lambda hit: hit[0])[1] if hits else None


@api("kumo.cidr.make_map")
def cidr_make_map(_ctx: LuaContext, entries: Any = None) -> CidrMap:
    try:
        return CidrMap(entries or {})
    except ValueError as error:
        raise KumoError(str(error)) from None


class DomainMap(LuaObject):
    """Values by domain, with ``*.`` wildcards."""

    kind = "DomainMap"

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.entries = {key.lower(): value for key, value in entries.items()}

    def field(self, name: str) -> Any:
        lower = name.lower()
        if lower in self.entries:
            return self.entries[lower]
        labels = lower.split(".")
        for start in range(1, len(labels)):
            wild = "*." + ".".join(labels[start:])
            if wild in self.entries:
                return self.entries[wild]
        return None

    def pairs(self) -> Mapping[str, Any]:
        return self.entries


@api("kumo.domain_map.new")
def domain_map_new(_ctx: LuaContext, entries: Any = None) -> DomainMap:
    return DomainMap(entries or {})
