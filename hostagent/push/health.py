"""Whether a host works after a switch."""

import contextlib
import http.client
import re
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from hostagent.errors import AgentError, OutOfTimeError
from hostagent.host import Host
from hostagent.release.model import Check, Manifest
from hostagent.system.units import Units

LIMIT = 180.0
"""kumod opens its spools before it answers; a large one takes time."""
_EACH = 5.0
_TOLD = 200
_BEARER = re.compile(rb"Bearer\s+([A-Za-z0-9._~+/=-]+)")
_NO_PASSWORD, _NO_METHOD = 0, 255
_UDP = bytes((5, 3, 0, 1, 0, 0, 0, 0, 0, 0))
"""A request for UDP (RFC 1928, 4), which KumoProxy does not serve."""
_KINDS = frozenset({"liveness", "injection", "socks5", "banner", "answer"})
"""A live release may be of an older policy, with other kinds of checks."""
_SETTLES = 5.0
"""A service that exits at once is noticed only after a short wait."""
_HEALS = 15.0
"""How long a push that changed units waits for what was bad before."""
_FIX = "correct the settings by the journal lines above, then push again"


@dataclass(frozen=True)
class Test:
    """One condition; returns why it does not hold, or None."""

    name: str
    why: Callable[[], "str | None"]

    def __call__(self) -> "str | None":
        """Ask."""
        return self.why()


def state(host: Host, manifest: Manifest) -> dict[str, str]:
    """What is bad on a host now: the names of tests, and why they fail.

    A push is judged by what it changed, so this is recorded before it.
    """
    known = replace(manifest, checks=tuple(one for one in manifest.checks if one.kind in _KINDS))
    return {test.name: why for test in _tests(host, known) if (why := test())}


def wait(
    host: Host,
    manifest: Manifest,
    *,
    since: float,
    before: Mapping[str, str],
    told: Iterable[str] = (),
    limit: float = LIMIT,
) -> tuple[str, ...]:
    """Return if all is well; raise with what is not, after `limit` seconds or if it is hopeless.

    What was bad `before` and still is gets returned, not raised. `told` are the effects that units
    got. The journal does not count, because strangers can write to it.
    """
    units = Units(host)
    services = [unit for unit in manifest.units if unit.endswith(".service")]
    judged = [unit for unit in services if unit not in before]
    counted = units.restarts(judged)
    began = host.now()
    settled, healed = (began + _SETTLES, began + _HEALS) if told else (began, began)
    every = list(_tests(host, manifest))
    required = [test for test in every if test.name not in before]
    excused = [test for test in every if test.name in before]
    tests = required
    while True:
        failing = [(test, why) for test in tests if (why := test())]
        if not failing and host.now() >= settled:
            failing = [(test, why) for test in required if (why := test())]
            still = tuple(why for test in excused if (why := test()))
            if not failing and (not still or host.now() >= healed):
                break
        tests = [test for test, _ in failing]
        reasons = "; ".join(dict.fromkeys(why for _, why in failing))
        try:
            broken = _hopeless(units, judged, counted)
            host.pause(0.25)
        except OutOfTimeError as error:
            raise AgentError(f"{error.what} and {reasons}", error.fix) from error
        if broken or (failing and host.now() >= began + limit):
            units.show_journal(services, since)
            raise AgentError(broken or f"not healthy after {limit:.0f} s: {reasons}", _FIX)
    if broken := _hopeless(units, judged, counted):
        units.show_journal(services, since)
        raise AgentError(broken, _FIX)
    return still


def _tests(host: Host, manifest: Manifest) -> Iterable[Test]:
    for unit in manifest.units:
        yield Test(unit, partial(inactive, host, [unit]))
    for check in manifest.checks:
        yield from tests_of(host, manifest, check)


def inactive(host: Host, units: Iterable[str]) -> str | None:
    """The units that are not active, or None."""
    states = Units(host).states(units)
    wrong = [f"{unit} is {state}" for unit, state in states.items() if state != "active"]
    return ", ".join(wrong) or None


def tests_of(host: Host, manifest: Manifest, check: Check) -> Iterable[Test]:
    """Runs a check of the release; returns why it fails, or None."""
    name = f"{check.kind} {check.target}"
    if check.kind in ("liveness", "injection"):
        # A separate check: a server that was failing before must still answer afterwards.
        yield Test(f"{name} at all", lambda: _expect(check.target, None, bool, ""))
    if check.kind in ("liveness", "answer"):
        yield Test(name, lambda: _expect(check.target, None, lambda code: code == 200, "200"))
    elif check.kind == "socks5":
        yield Test(name, lambda: socks5(check.target))
    elif check.kind == "banner":
        yield Test(name, lambda: banner(check.target))
    elif check.kind == "injection":
        yield Test(name, lambda: refuses_strangers(check.target))
        token = _token(host, manifest, check.token_file)
        yield Test(
            f"{name} with the token",
            lambda: _expect(
                check.target, token, lambda code: code not in (401, 403) and code < 500, "not 401"
            ),
        )
    else:
        raise AgentError(f"health check {check.kind!r} is not known", "push with the newer agent")


def take_up_policy(manifest: Manifest) -> None:
    """Let kumod check its policy now: by itself it does so every ten seconds, and until then new
    Lua would read old data. If it does not answer, it is starting or will notice by itself."""
    for check in manifest.checks:
        if check.kind == "liveness":
            url = urllib.parse.urljoin(check.target, "/api/admin/bump-config-epoch")
            with contextlib.suppress(OSError, http.client.HTTPException):
                _ask(url, None)


def refuses_strangers(url: str) -> str | None:
    """Why injection does not refuse a request without a token, or None."""
    return _expect(url, None, lambda code: code == 401, "401")


def _token(host: Host, manifest: Manifest, path: str | None) -> str:
    match = path and _BEARER.search(host.layout.stored(manifest.id, path).read_bytes())
    if not match:
        raise AgentError(f"{path} contains no bearer token for testing injection", "report this")
    return match[1].decode()


def _expect(url: str, token: str | None, good: Callable[[int], bool], expected: str) -> str | None:
    what = url if token is None else f"{url} with the token"
    try:
        code, body = _ask(url, token)
    except (OSError, http.client.HTTPException) as error:
        return f"{what} does not answer ({error})"
    # kumod says why it refuses: too little disk or memory is not the release's fault.
    told = f" ({body})" if body and code >= 500 else ""
    return None if good(code) else f"{what} answers {code} instead of {expected}{told}"


def _ask(url: str, token: str | None) -> tuple[int, str]:
    """Status and the beginning of the body, on one line."""
    parts = urllib.parse.urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        # Over loopback: the doctor checks the certificate, this checks the path.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=_EACH, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_EACH)
    try:
        if parts.path.startswith("/api/admin"):
            connection.request("POST", parts.path, headers={"Content-Length": "0"})
        elif parts.path.startswith("/api/inject"):
            headers = {"Content-Type": "application/json"}
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            # An empty object is not a message: kumod refuses it, so the request got there.
            connection.request("POST", parts.path, body=b"{}", headers=headers)
        else:
            connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        return answer.status, " ".join(answer.read(_TOLD).decode("utf-8", "replace").split())
    finally:
        connection.close()


def socks5(target: str) -> str | None:
    """Why no SOCKS5 proxy greets there, or None.

    KumoProxy counts a session that ends after the greeting as failed, so this one asks for
    something that is refused (UDP), which counts as completed. A proxy with a password refuses the
    greeting itself: it is alive, and counts a failure.
    """
    try:
        with _connect(target) as connection:
            connection.sendall(bytes((5, 1, _NO_PASSWORD)))
            said = _read(connection, 2)
            if said == bytes((5, _NO_PASSWORD)):
                connection.sendall(_UDP)
                _read(connection, 10)
    except OSError as error:
        return f"{target} does not greet ({error.strerror or error})"
    if said not in (bytes((5, _NO_PASSWORD)), bytes((5, _NO_METHOD))):
        return f"{target} answers {said.hex() or 'nothing'} instead of a SOCKS5 greeting"
    return None


def banner(target: str) -> str | None:
    """Why no SMTP server greets there, or None; one that refuses for now is alive."""
    try:
        with _connect(target) as connection:
            said = _read(connection, 4)
            connection.sendall(b"QUIT\r\n")
    except OSError as error:
        return f"{target} does not greet ({error.strerror or error})"
    if not re.fullmatch(rb"[245]\d\d[ -]", said):
        return f"{target} answers {said!r} instead of an SMTP banner"
    return None


def _connect(target: str) -> socket.socket:
    name, _, port = target.rpartition(":")
    return socket.create_connection((name.strip("[]"), int(port)), timeout=_EACH)


def _read(connection: socket.socket, length: int) -> bytes:
    """That many bytes, or fewer if the other side closes."""
    said = b""
    while len(said) < length and (more := connection.recv(length - len(said))):
        said += more
    return said


def _hopeless(units: Units, services: Sequence[str], counted: Mapping[str, int]) -> str:
    """Why waiting longer will not help, or ''. `counted` are the restarts so far."""
    failed = [unit for unit, state in units.states(services).items() if state == "failed"]
    if failed:
        return f"{', '.join(failed)} failed"
    flapping = [
        unit for unit, count in units.restarts(services).items() if count > counted.get(unit, 0)
    ]
    return f"{', '.join(flapping)} does not stay up" if flapping else ""


def moment() -> float:
    """Now, as the journal counts."""
    return time.time()
