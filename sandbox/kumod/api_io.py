"""Files, SQLite, HTTP and DNS, as a policy reaches them."""

from __future__ import annotations

import base64
import glob
import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from sandbox.kumod.contract import deserialize
from sandbox.kumod.dkim import Signer, SignerParams, load_key
from sandbox.kumod.durations import parse_duration
from sandbox.kumod.errors import KumoError
from sandbox.kumod.http_client import HttpFailure, HttpRequest, HttpResponse, HttpTransport
from sandbox.kumod.objects import LuaObject
from sandbox.kumod.registry import api, method
from sandbox.kumod.resolver import ResolveError

if TYPE_CHECKING:
    from sandbox.kumod.lua import LuaContext

# SQLite -------------------------------------------------------------------------


class SqliteConnection(LuaObject):
    """A connection; each statement commits durably by itself."""

    kind = "SqliteConnection"

    def __init__(self, path: str, busy_timeout: float) -> None:
        try:
            self.database = sqlite3.connect(
                path, timeout=busy_timeout, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise KumoError(str(error)) from None


@api("sqlite.open")
def sqlite_open(ctx: LuaContext, path: str, busy_timeout: int = 500) -> SqliteConnection:
    real = path if path == ":memory:" else str(ctx.engine.paths.real(path))
    return SqliteConnection(real, busy_timeout / 1000)


@method("SqliteConnection", "execute")
def sqlite_execute(ctx: LuaContext, connection: SqliteConnection, query: str, *params: Any) -> Any:
    ctx.engine.counters["sqlite.execute"] += 1
    bound: Any = params
    if len(params) == 1 and isinstance(params[0], dict):
        bound = params[0]
    try:
        cursor = connection.database.execute(query, bound)
        rows = cursor.fetchall()
    except sqlite3.Error as error:
        raise KumoError(str(error)) from None
    if not rows:
        return max(cursor.rowcount, 0)
    names = [column[0] for column in cursor.description]
    if len(names) == 1:
        return [row[0] for row in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]


@api("redis.open")
def redis_open(_ctx: LuaContext, *_args: Any) -> None:
    raise KumoError("redis is not in this stand-in for kumod")


# HTTP -----------------------------------------------------------------------------


class HttpClient(LuaObject):
    """One client: its connections are its own."""

    kind = "HttpClient"

    def __init__(self, transport: HttpTransport, timeout: float, user_agent: str | None) -> None:
        self.transport = transport
        self.timeout = timeout
        self.user_agent = user_agent


class RequestBuilder(LuaObject):
    """A request in the making."""

    kind = "HttpRequest"

    def __init__(self, client: HttpClient, verb: str, url: str) -> None:
        self.client = client
        self.verb = verb
        self.url = url
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.timeout = client.timeout


class ResponseObject(LuaObject):
    """A response."""

    kind = "HttpResponse"

    def __init__(self, response: HttpResponse) -> None:
        self.response = response


@api("kumo.http.build_client")
def build_client(ctx: LuaContext, options: Any = None) -> HttpClient:
    fields = options if isinstance(options, dict) else {}
    for name in ("timeout", "pool_idle_timeout"):
        if name in fields and parse_duration(fields[name]) is None:
            shown = json.dumps(fields[name])
            raise KumoError(
                f"deserialize error: invalid value: string {shown}, expected a duration, "
                f"while processing {json.dumps(fields, separators=(',', ':'))}"
            )
    timeout = parse_duration(fields.get("timeout", 60)) or 60.0
    ctx.engine.counters["http.client"] += 1
    return HttpClient(ctx.engine.new_http_transport(), timeout, fields.get("user_agent"))


@api("kumo.http.build_url")
def build_url(_ctx: LuaContext, url: str, params: Any = None) -> str:
    query = urlencode(params or {}, quote_via=quote)
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def _verb(name: str) -> None:
    @method("HttpClient", name)
    def start(_ctx: LuaContext, client: HttpClient, url: str) -> RequestBuilder:
        return RequestBuilder(client, name.upper(), url)


for _name in ("get", "post", "put"):
    _verb(_name)


@method("HttpClient", "request")
def client_request(_ctx: LuaContext, client: HttpClient, verb: str, url: str) -> RequestBuilder:
    return RequestBuilder(client, verb.upper(), url)


@method("HttpClient", "close")
def client_close(_ctx: LuaContext, client: HttpClient) -> None:
    client.transport.close()


@method("HttpRequest", "header")
def request_header(
    _ctx: LuaContext, request: RequestBuilder, name: str, value: Any
) -> RequestBuilder:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if any(character in text or character in name for character in "\r\n\0"):
        raise KumoError("failed to parse header value")
    request.headers.append((name, text))
    return request


@method("HttpRequest", "headers")
def request_headers(_ctx: LuaContext, request: RequestBuilder, values: Any) -> RequestBuilder:
    for name, value in values.items():
        request_header(_ctx, request, name, value)
    return request


@method("HttpRequest", "body")
def request_body(_ctx: LuaContext, request: RequestBuilder, body: Any) -> RequestBuilder:
    request.body = body if isinstance(body, bytes) else body.encode("utf-8", "surrogateescape")
    return request


@method("HttpRequest", "timeout")
def request_timeout(_ctx: LuaContext, request: RequestBuilder, timeout: Any) -> RequestBuilder:
    request.timeout = parse_duration(timeout) or request.timeout
    return request


@method("HttpRequest", "bearer_auth")
def bearer_auth(ctx: LuaContext, request: RequestBuilder, token: str) -> RequestBuilder:
    return request_header(ctx, request, "Authorization", f"Bearer {token}")


@method("HttpRequest", "basic_auth")
def basic_auth(
    ctx: LuaContext, request: RequestBuilder, user: str, password: str = ""
) -> RequestBuilder:
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    return request_header(ctx, request, "Authorization", f"Basic {credentials}")


@method("HttpRequest", "form_url_encoded")
def form_url_encoded(ctx: LuaContext, request: RequestBuilder, values: Any) -> RequestBuilder:
    request.body = urlencode(values).encode()
    return request_header(ctx, request, "Content-Type", "application/x-www-form-urlencoded")


@method("HttpRequest", "send")
def request_send(ctx: LuaContext, request: RequestBuilder) -> ResponseObject:
    headers = [(name.lower(), value) for name, value in request.headers]
    if not any(name == "accept" for name, _ in headers):
        headers.append(("accept", "*/*"))
    if request.client.user_agent:
        headers.append(("user-agent", request.client.user_agent))
    sent = HttpRequest(
        method=request.verb,
        url=request.url,
        headers=tuple(headers),
        body=request.body,
        timeout=request.timeout,
    )
    ctx.engine.note_http(sent)
    try:
        return ResponseObject(request.client.transport.request(sent))
    except (HttpFailure, OSError) as error:
        raise KumoError(f"error sending request for url ({request.url}): {error}") from None


@method("HttpResponse", "status_code")
def status_code(_ctx: LuaContext, response: ResponseObject) -> int:
    return response.response.status


@method("HttpResponse", "status_reason")
def status_reason(_ctx: LuaContext, response: ResponseObject) -> str:
    return response.response.reason


def _class_test(name: str, first: int) -> None:
    @method("HttpResponse", f"status_is_{name}")
    def test(_ctx: LuaContext, response: ResponseObject) -> bool:
        return response.response.status // 100 == first


for _name, _first in (
    ("informational", 1), ("success", 2), ("redirection", 3), ("client_error", 4),
    ("server_error", 5),
):  # fmt: skip
    _class_test(_name, _first)


@method("HttpResponse", "headers")
def response_headers(_ctx: LuaContext, response: ResponseObject) -> Any:
    return {name.lower(): value for name, value in response.response.headers}


def _complete_body(response: ResponseObject) -> bytes:
    if response.response.truncated:
        raise KumoError("error decoding response body: end of file before message length reached")
    return response.response.body


@method("HttpResponse", "text")
def response_text(_ctx: LuaContext, response: ResponseObject) -> str:
    return _complete_body(response).decode("utf-8", "replace")


@method("HttpResponse", "bytes")
def response_bytes(_ctx: LuaContext, response: ResponseObject) -> bytes:
    return _complete_body(response)


@method("HttpResponse", "content_length")
def content_length(_ctx: LuaContext, response: ResponseObject) -> int:
    return len(response.response.body)


# Files ----------------------------------------------------------------------------


@api("kumo.fs.read_dir", "kumo.read_dir")
def read_dir(ctx: LuaContext, path: str) -> list[str]:
    try:
        return [f"{path}/{entry.name}" for entry in sorted(ctx.engine.paths.real(path).iterdir())]
    except OSError as error:
        raise KumoError(f"{path}: {error.strerror} (os error {error.errno})") from None


@api("kumo.fs.glob", "kumo.fs.uncached_glob", "kumo.glob", "kumo.uncached_glob")
def glob_files(ctx: LuaContext, pattern: str, base: str | None = None) -> list[str]:
    full = f"{base}/{pattern}" if base else pattern
    real = str(ctx.engine.paths.real(full))
    cut = len(real) - len(full)
    return [found[cut:] for found in sorted(glob.glob(real, recursive=True))]  # noqa: PTH207 - absolute


@api("kumo.fs.metadata_for_path", "kumo.fs.symlink_metadata_for_path")
def metadata_for_path(ctx: LuaContext, path: str) -> Any:
    try:
        status = ctx.engine.paths.real(path).stat()
    except OSError as error:
        raise KumoError(f"{path}: {error.strerror} (os error {error.errno})") from None
    real = ctx.engine.paths.real(path)
    return {"len": status.st_size, "mtime": status.st_mtime, "is_file": real.is_file(),
            "is_dir": real.is_dir(), "is_symlink": real.is_symlink()}  # fmt: skip


class File(LuaObject):
    """An open file."""

    kind = "File"

    def __init__(self, path: Path, mode: str) -> None:
        try:
            self.handle = path.open(f"{mode.replace('b', '')}b", buffering=0)
        except (OSError, ValueError) as error:
            raise KumoError(f"{path}: {error}") from None


@api("kumo.fs.open")
def fs_open(ctx: LuaContext, path: str, mode: str = "r") -> File:
    ctx.engine.counters["fs.read"] += 1
    return File(ctx.engine.paths.real(path), mode)


@method("File", "read")
def file_read(_ctx: LuaContext, file: File, count: int = -1) -> Any:
    return file.handle.read(int(count))


@method("File", "write")
def file_write(_ctx: LuaContext, file: File, data: Any) -> None:
    raw = data if isinstance(data, bytes) else str(data).encode("utf-8", "surrogateescape")
    file.handle.write(raw)


@method("File", "seek")
def file_seek(_ctx: LuaContext, file: File, whence: str = "cur", offset: int = 0) -> int:
    return file.handle.seek(int(offset), {"set": 0, "cur": 1, "end": 2}[whence])


@method("File", "flush")
def file_flush(_ctx: LuaContext, file: File) -> None:
    file.handle.flush()


@method("File", "close")
def file_close(_ctx: LuaContext, file: File) -> None:
    file.handle.close()


@api("kumo.secrets.load")
def secrets_load(ctx: LuaContext, source: Any) -> bytes:
    return ctx.engine.load_key_source(source)


# DNS --------------------------------------------------------------------------------


def _resolve(call: Any, *args: Any) -> Any:
    try:
        return call(*args)
    except ResolveError as error:
        raise KumoError(str(error)) from None


@api("kumo.dns.lookup_addr")
def lookup_addr(ctx: LuaContext, name: str) -> list[str]:
    found: list[str] = _resolve(ctx.engine.resolver.addresses, name)
    return found


@api("kumo.dns.lookup_txt")
def lookup_txt(ctx: LuaContext, name: str) -> list[str]:
    found: list[str] = _resolve(ctx.engine.resolver.txt, name)
    return found


@api("kumo.dns.lookup_ptr")
def lookup_ptr(ctx: LuaContext, address: str) -> list[str]:
    found: list[str] = _resolve(ctx.engine.resolver.ptr, address)
    return found


@api("kumo.dns.lookup_mx")
def lookup_mx(ctx: LuaContext, domain: str) -> Any:
    records = _resolve(ctx.engine.resolver.mx, domain)
    by_preference: dict[str, list[str]] = {}
    for preference, host in records:
        by_preference.setdefault(str(preference), []).append(f"{host}.")
    return {
        "domain_name": f"{domain}.",
        "hosts": [f"{host}." for _, host in records],
        "by_pref": by_preference,
        "site_name": ctx.engine.decisions.site_name([host for _, host in records]),
        "is_mx": True,
        "is_domain_literal": False,
        "is_secure": False,
    }


@api("kumo.dns.configure_resolver", "kumo.dns.configure_unbound_resolver",
     "kumo.dns.define_resolver", "kumo.dns.set_mx_timeout",
     "kumo.dns.set_mx_negative_cache_ttl")  # fmt: skip
def resolver_setting(_ctx: LuaContext, *_args: Any) -> None:
    """The stand-in asks the system's resolver."""


# DKIM --------------------------------------------------------------------------------


@api("kumo.dkim.rsa_sha256_signer")
def rsa_signer(ctx: LuaContext, params: Any) -> Signer:
    return _signer(ctx, deserialize("kumo.dkim.rsa_sha256_signer", params))


@api("kumo.dkim.ed25519_signer")
def ed25519_signer(ctx: LuaContext, params: Any) -> Signer:
    return _signer(ctx, deserialize("kumo.dkim.ed25519_signer", params))


def _signer(ctx: LuaContext, fields: dict[str, Any]) -> Signer:
    engine = ctx.engine
    engine.counters["dkim.signer"] += 1
    cache_key = json.dumps(fields, sort_keys=True, default=str)
    cached = engine.signers.get(cache_key)
    if cached is not None and cached[0] > engine.clock.now():
        kept: Signer = cached[1]
        return kept
    engine.counters["dkim.key_load"] += 1
    pem = engine.load_key_source(fields["key"])
    params = SignerParams(
        domain=fields["domain"],
        selector=fields["selector"],
        headers=tuple(fields["headers"]),
        over_sign=fields.get("over_sign", False),
        expiration=fields.get("expiration"),
        relaxed_header=fields.get("header_canonicalization", "Relaxed") == "Relaxed",
        relaxed_body=fields.get("body_canonicalization", "Relaxed") == "Relaxed",
    )
    signer = Signer(params, load_key(pem, f"{fields['key']!r}"))
    ttl = parse_duration(fields.get("ttl", "300s")) or 300.0
    engine.signers[cache_key] = (engine.clock.now() + ttl, signer)
    return signer
