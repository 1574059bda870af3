"""kumo.http: requests of a policy to other servers; in tests a function answers."""

from collections.abc import Callable
from dataclasses import dataclass

import urllib3


class HttpFailure(Exception):
    """No response came: refused, reset, timed out."""


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout: float = 60.0

    def header(self, name: str) -> str | None:
        return next((v for present, v in self.headers if present.lower() == name.lower()), None)


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    truncated: bool = False


Send = Callable[[HttpRequest], HttpResponse]


def keep_alive_client() -> Send:
    pool = urllib3.PoolManager(retries=False)

    def send(request: HttpRequest) -> HttpResponse:
        try:
            response = pool.request(
                request.method,
                request.url,
                body=request.body,
                headers=urllib3.HTTPHeaderDict(request.headers),
                timeout=request.timeout,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise HttpFailure(str(error)) from None
        headers = tuple(response.headers.items())
        return HttpResponse(status=response.status, body=response.data, headers=headers)

    return send
