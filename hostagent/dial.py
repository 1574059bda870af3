"""Verb `dial`: talks to a mail exchanger as an egress source does, or as kumod does to a proxy or
to the server of the shared limits.

`dial --exchanger HOST --source-address PRIVATE --ehlo NAME`, `dial --proxy ADDRESS --port N`, or
`dial --limits HOST --port N`.
"""

import argparse
import ipaddress
import json
import re
import smtplib
import socket
import ssl
from typing import Any

_SECONDS = 10.0
_NO_PASSWORD, _PASSWORD, _NONE = 0, 2, 255
"""Ways to log in (RFC 1928, 3)."""


def run(arguments: list[str]) -> int:
    """Prints the other side's answer as JSON; the status is 0 even if it refused."""
    parser = argparse.ArgumentParser(prog="ping8-agent dial")
    parser.add_argument("--exchanger")
    parser.add_argument("--proxy")
    parser.add_argument("--limits")
    parser.add_argument("--source-address", default="0.0.0.0")  # noqa: S104 - any source
    parser.add_argument("--ehlo", default=socket.gethostname())
    parser.add_argument("--port", type=int, default=25)
    options = parser.parse_args(arguments)
    if options.proxy:
        answer = socks(options.proxy, options.port)
    elif options.limits:
        answer = limits(options.limits, options.port)
    elif options.exchanger:
        answer = dial(options.exchanger, options.port, options.source_address, options.ehlo)
    else:
        parser.error("give --exchanger, --proxy or --limits")
    print(json.dumps(answer), flush=True)
    return 0


def dial(exchanger: str, port: int, source_address: str, ehlo: str) -> dict[str, Any]:
    """Greeting, EHLO answer, and the address that the exchanger reports seeing."""
    answer: dict[str, Any] = {"exchanger": exchanger, "connected": False, "error": ""}
    session = smtplib.SMTP(
        timeout=_SECONDS, source_address=(source_address, 0), local_hostname=ehlo
    )
    try:
        # Mail leaves by IPv4 only.
        address = socket.getaddrinfo(exchanger, port, socket.AF_INET)[0][4][0]
        code, greeting = session.connect(str(address), port)
        answer.update(connected=True, greeting=f"{code} {greeting.decode('utf-8', 'replace')}")
        code, text = session.ehlo()
        # The lines after the first list extensions.
        said = text.decode("utf-8", "replace").split("\n")[0]
        answer.update(
            ehlo_accepted=code == 250, ehlo_answer=f"{code} {said}", seen_address=seen_address(said)
        )
        session.quit()
    except socket.gaierror as error:
        answer.update(resolved=False, error=str(error))
    except (OSError, smtplib.SMTPException) as error:
        answer["error"] = str(error) or type(error).__name__
    finally:
        session.close()
    return answer


def seen_address(text: str) -> str:
    """The first IPv4 address in brackets, as Gmail's and Exim's EHLO answers show it."""
    for found in re.findall(r"\[(\d+\.\d+\.\d+\.\d+)\]", text):
        try:
            return str(ipaddress.IPv4Address(found))
        except ValueError:
            continue
    return ""


def socks(address: str, port: int) -> dict[str, Any]:
    """A SOCKS5 proxy's answer to the offer of both login methods."""
    answer: dict[str, Any] = {"proxy": f"{address}:{port}", "connected": False, "error": ""}
    try:
        with socket.create_connection((address, port), timeout=_SECONDS) as connection:
            connection.sendall(bytes((5, 2, _NO_PASSWORD, _PASSWORD)))
            said = connection.recv(2)
    except OSError as error:
        return {**answer, "error": str(error) or type(error).__name__}
    if len(said) != 2 or said[0] != 5 or said[1] == _NONE:
        return {**answer, "error": f"no SOCKS5 answer: {said.hex() or 'nothing'}"}
    way = "asks for a password" if said[1] == _PASSWORD else "asks for no password"
    return {**answer, "connected": True, "said": f"SOCKS5, {way}"}


def limits(name: str, port: int, context: ssl.SSLContext | None = None) -> dict[str, Any]:
    """Whether a Valkey server answers over TLS, by a certificate for its name; without log-in."""
    context = context or ssl.create_default_context()
    try:
        with (
            socket.create_connection((name, port), timeout=_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            connection.sendall(b"PING\r\n")
            said = connection.recv(100).decode("utf-8", "replace").strip()
    except OSError as error:
        return {"connected": False, "error": str(error) or type(error).__name__}
    if not said.startswith(("+PONG", "-NOAUTH")):
        return {"connected": False, "error": f"no answer of a Valkey server: {said or 'nothing'}"}
    return {"connected": True, "said": "it answers over TLS"}
