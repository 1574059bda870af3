"""kumo.http: requests with one client for many."""

from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from standins.kumod.contract import deserialize_with, named_type
from standins.kumod.durations import seconds
from standins.kumod.errors import KumoError
from standins.kumod.http_client import HttpFailure, HttpRequest, HttpResponse, Send
from standins.kumod.lua import LuaContext
from standins.kumod.objects import Held, LuaObject, api, method

_MOST_REDIRECTS = 10


class HttpClient(LuaObject):
    kind = "HttpClient"

    def __init__(self, send: Send, timeout: float, user_agent: str | None) -> None:
        self.send = send
        self.timeout = timeout
        self.headers = (("user-agent", user_agent),) if user_agent else ()


class RequestBuilder(LuaObject):
    kind = "HttpRequest"

    def __init__(self, client: HttpClient, request: HttpRequest) -> None:
        self.client = client
        self.request = request


@api("kumo.http.build_client")
def build_client(ctx: LuaContext, options: Any = None) -> HttpClient:
    fields = deserialize_with(named_type("client options"), options or {})
    ctx.facts.counters["http.client"] += 1
    timeout = seconds(fields, "timeout", 60.0)
    return HttpClient(ctx.facts.new_http_client(), timeout, fields.get("user_agent"))


@method("HttpClient", "post")
def start_post(_ctx: LuaContext, client: HttpClient, url: str) -> RequestBuilder:
    return RequestBuilder(client, HttpRequest(method="POST", url=url, timeout=client.timeout))


@method("HttpClient", "close")
def client_close(_ctx: LuaContext, _client: HttpClient) -> None:
    """Its connections end with it."""


@method("HttpRequest", "header")
def request_header(
    _ctx: LuaContext, builder: RequestBuilder, name: str, value: Any
) -> RequestBuilder:
    if any(character in str(value) or character in name for character in "\r\n\0"):
        raise KumoError("failed to parse header value")
    headers = (*builder.request.headers, (name.lower(), str(value)))
    builder.request = replace(builder.request, headers=headers)
    return builder


@method("HttpRequest", "body")
def request_body(_ctx: LuaContext, builder: RequestBuilder, body: Any) -> RequestBuilder:
    raw = body if isinstance(body, bytes) else body.encode("utf-8", "surrogateescape")
    builder.request = replace(builder.request, body=raw)
    return builder


@method("HttpRequest", "send")
def request_send(ctx: LuaContext, builder: RequestBuilder) -> Held:
    headers = (*builder.request.headers, ("accept", "*/*"), *builder.client.headers)
    sent = replace(builder.request, headers=headers)
    for _ in range(1 + _MOST_REDIRECTS):
        ctx.facts.counters["http.request"] += 1
        if not ctx.facts.threaded:
            ctx.facts.http_requests.append(sent)
        try:
            response = builder.client.send(sent)
        except (HttpFailure, OSError) as error:
            raise KumoError(f"error sending request for url ({sent.url}): {error}") from None
        following = _redirected(sent, response)
        if following is None:
            return Held("HttpResponse", response)
        sent = following
    raise KumoError(f"error following redirect for url ({sent.url}): too many redirects")


def _redirected(sent: HttpRequest, response: HttpResponse) -> HttpRequest | None:
    """The request that follows a redirect, as reqwest makes it: with all our headers."""
    location = next((v for n, v in response.headers if n.lower() == "location"), None)
    if location is None or response.status not in (301, 302, 303, 307, 308):
        return None
    url = urljoin(sent.url, location)
    if response.status in (307, 308):
        return replace(sent, url=url)
    headers = tuple((n, v) for n, v in sent.headers if not n.startswith("content-"))
    return replace(sent, url=url, method="GET", body=b"", headers=headers)


@method("HttpResponse", "status_code")
def status_code(_ctx: LuaContext, held: Held) -> Any:
    return held.value.status


@method("HttpResponse", "status_is_success")
def status_is_success(_ctx: LuaContext, held: Held) -> Any:
    return held.value.status // 100 == 2


@method("HttpResponse", "text")
def response_text(_ctx: LuaContext, held: Held) -> Any:
    if held.value.truncated:
        raise KumoError("error decoding response body: end of file before message length reached")
    return held.value.body.decode("utf-8", "replace")
