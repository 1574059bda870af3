"""`ping8 send`: sends one message through the public URL and follows it to its final event."""

import contextlib
import email.message
import email.utils
import http.client
import json
import re
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

from hostagent.text import printable_line
from ops import receiver
from ops.choice import chosen
from ops.doctor.resolver import LookupFailed, Resolver, servers_of
from ops.find import joined, lines
from ops.local import local_stack
from ops.nodes import ask_all
from ops.ssh import ssh_json
from ops.stack import Deployment, read_deployment, secret_output
from policy.errors import UsageError, UserError

_PORT = 443
_ADDRESS = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,253}[a-z0-9])?",
    re.ASCII | re.IGNORECASE,
)
_CONNECT = 20
_BETWEEN = 5
_SLOW = "waiting; kumod's log may become readable up to a minute late"


def send(
    stack: str,
    *,
    sender: str,
    recipient: str,
    seconds: float,
    as_json: bool,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Injects with the real token and follows; status 1 if it was not delivered in time."""
    for option, address in (("--from", sender), ("--to", recipient)):
        if not _ADDRESS.fullmatch(address):
            raise UsageError(f"{option} {address!r}: write an address such as you@example.net")
    deployment = read_deployment(stack)
    domain = sender.rpartition("@")[2].lower()
    chosen("--from", domain, [one.name for one in deployment.settings.domains])
    started = int(time.time())
    mark = f"ping8-send-{uuid.uuid4().hex[:12]}"
    answer = inject(deployment, letter(sender, recipient, mark), sender, recipient)
    if not as_json:
        typer.echo(f"injected at https://{deployment.settings.injection_host}: {answer}")
        typer.echo(_SLOW, err=True)
    message = follow(deployment, mark, started, seconds, pause)
    rows = seen(deployment, message, mark, domain) if message else {}
    if as_json:
        typer.echo(json.dumps(message and {**message, "receiver": rows}))
    elif message is None:
        typer.echo("not in the log yet; try later: " + again(mark, stack))
    else:
        for line in lines(message, nodes=deployment.mta_hosts):
            typer.echo(line)
        if rows:
            typer.echo("What the receiver sees:")
        for name, verdict in rows.items():
            typer.echo(f"  {name:7}  {printable_line(verdict)}")
        if not message["over"]:
            typer.echo(f"not finished after {seconds:.0f} s; try later: {again(mark, stack)}")
    if message is None or not any(step["type"] == "Delivery" for step in message["steps"]):
        raise typer.Exit(1)


def again(mark: str, stack: str) -> str:
    """The command to find it later."""
    return f"ping8 find {mark} --stack {stack}"


def letter(sender: str, recipient: str, mark: str) -> str:
    """A short message with the headers that PING8 sends with each."""
    message = email.message.EmailMessage()
    message["From"], message["To"] = sender, recipient
    message["Subject"] = f"Test of the mail platform ({mark})"
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = f"<{mark}@{sender.rpartition('@')[2]}>"
    for name in ("Campaign", "Task", "Recipient", "Api-Log", "Message", "Sending-Profile"):
        message[f"X-PING8-{name}-Id"] = mark
    message.set_content("This is a test, sent with `ping8 send`. You do not have to do anything.\n")
    return message.as_string()


def inject(deployment: Deployment, content: str, sender: str, recipient: str) -> str:
    """Injects through Nginx, as PING8 does; returns the answer as one line."""
    token = secret_output(deployment.stack, "injection_token").get_secret_value()
    local = local_stack(deployment.stack)
    name = deployment.settings.injection_host
    body = json.dumps(
        {
            "envelope_sender": sender,
            "recipients": [{"email": recipient}],
            "content": content,
        }
    )
    connection = http.client.HTTPConnection(name, timeout=_CONNECT)
    try:
        plain = _connect(deployment)
        context = ssl.create_default_context(cafile=local.authorities if local else None)
        connection.sock = context.wrap_socket(plain, server_hostname=name)
        connection.request(
            "POST",
            "/api/inject/v1",
            body,
            {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        answer = connection.getresponse()
        text = " ".join(answer.read(4096).decode("utf-8", "replace").split()).replace(token, "***")
    except OSError as error:
        raise UserError(f"https://{name}/api/inject/v1: {error}; see `ping8 doctor`") from None
    finally:
        connection.close()
    if answer.status != 200 or '"fail_count":0' not in text.replace(" ", ""):
        raise UserError(f"https://{name}/api/inject/v1 answers {answer.status}: {text[:300]}")
    return f"{answer.status} {text[:300]}"


def _connect(deployment: Deployment) -> socket.socket:
    """To the only MTA host, or as PING8 to the balancer before several, by its name."""
    addresses = [deployment.mta.address]
    if len(deployment.mta_hosts) > 1:
        addresses = _balancer(deployment)
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, _PORT), timeout=_CONNECT)
    return socket.create_connection((addresses[-1], _PORT), timeout=_CONNECT)


def _balancer(deployment: Deployment) -> list[str]:
    name = deployment.settings.injection_host
    try:
        addresses = Resolver(servers_of(deployment.stack)).addresses(name)
    except LookupFailed as error:
        raise UserError(f"{name}: no address: {error}; see `ping8 doctor`") from None
    if not addresses:
        raise UserError(f"{name}: DNS has no address; see `ping8 doctor`")
    return addresses


def follow(
    deployment: Deployment, mark: str, since: int, seconds: float, pause: Callable[[float], None]
) -> dict[str, Any] | None:
    """What the MTA hosts know about it; polls until it is finished or time runs out."""
    message: dict[str, Any] | None = None
    for _ in range(max(1, int(seconds / _BETWEEN))):
        verb = ["find", mark, "--from", str(since - 60)]
        answers = ask_all(deployment.mta_hosts, lambda host: ssh_json(host, verb))  # noqa: B023
        message = next(iter(joined(answers)["messages"]), message)
        if message is not None and message["over"]:
            return message
        pause(_BETWEEN)
    return message


def seen(
    deployment: Deployment, message: Mapping[str, Any], mark: str, domain: str
) -> Mapping[str, str]:
    """Address, EHLO name, TLS and verdicts, from the receiver's copy if it is here."""
    local = local_stack(deployment.stack)
    copy = receiver.by_its_copy(Path(local.mail), mark) if local and local.mail else None
    sight = copy or receiver.by_the_log(deployment, message)
    if sight is None:
        return {}
    of = next(one for one in deployment.settings.domains if one.name == domain)
    keys = deployment.settings.dkim_of(of)
    resolver = Resolver(servers_of(deployment.stack))
    return receiver.verdicts(sight, of.name, keys, resolver)
