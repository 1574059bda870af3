"""Verb `drain`: takes this node out of service step by step, and back.

The caller repeats `step` until it is done. Each step looks at what is there now, so it continues
after a lost connection, a restart of kumod or of the host. kumod's own transfer moves messages.
"""

import argparse
import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hostagent import draining
from hostagent.contract import KUMOD_API, OUTBOX, POLICY, TRANSFER_QUEUE
from hostagent.drain.look import counts, healthy
from hostagent.drain.plan import SETTLES, Counts, Step, next_step
from hostagent.errors import AgentError
from hostagent.layout import Layout
from hostagent.report import answer
from hostagent.web import Deadline, WebError, ask

_SECONDS = 30.0
_CONNECTS = 2.0
_LOOKS = 10
_SERVER = f"{POLICY}/data/server.json"


@dataclass(frozen=True)
class Node:
    """This host; tests replace its places."""

    layout: Layout = field(default_factory=Layout)
    kumod: str = KUMOD_API
    nginx: str = "https://127.0.0.1"
    outbox: Path = Path(OUTBOX)
    pause: Callable[[float], None] = time.sleep

    def counts(self) -> Counts:
        """What it holds now."""
        return counts(self.kumod, self.nginx, Deadline(_SECONDS), self.outbox)


def main(arguments: Sequence[str], node: Node | None = None) -> int:
    """Prints one line of JSON; an error is one line on standard error and status 1."""
    options = _parser().parse_args(arguments)
    return answer(lambda: _VERBS[options.verb](node or Node(), options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ping8-agent drain")
    parser.add_argument("verb", choices=sorted(_VERBS))
    parser.add_argument("--to", action="append", default=[], help="address of another node")
    parser.add_argument("--at-once", action="store_true", help="do not wait for a balancer")
    parser.add_argument("--reason", default="")
    parser.add_argument("--by", default="", help="who asked")
    return parser


def show(node: Node, options: argparse.Namespace) -> dict[str, Any]:
    """Whether the node drains and takes injections, and what it holds."""
    del options
    return _answer(node, node.counts(), healthy=healthy(node.nginx, Deadline(_SECONDS)))


def begin(node: Node, options: argparse.Namespace) -> dict[str, Any]:
    """The balancer sees the node as unhealthy; a second call changes nothing."""
    draining.begin(node.layout, options.by, options.reason)
    if options.at_once:
        draining.refuse(node.layout)
    return _answer(node, None)


def step(node: Node, options: argparse.Namespace) -> dict[str, Any]:
    """Does what is to do now; says what the drain waits for, and whether it is done.

    Nothing, if somebody took the drain back.
    """
    found = draining.read(node.layout)
    if found is None:
        return _answer(node, None, waits="", done=False, away=[])
    targets, away = _targets(node, options.to)
    try:
        held = node.counts()
    except WebError as error:
        return _answer(node, None, waits=f"kumod: {error}", done=False, away=away)
    age = time.time() - found.since
    todo = next_step(held, targets, refusing=found.refusing, age=age)
    _do(node, todo, found.reason)
    if todo.waits == SETTLES and _settled(node, held):
        todo = Step()
    return _answer(node, held, waits=todo.waits, done=todo.done, away=away)


def _settled(node: Node, before: Counts) -> bool:
    """Whether kumod's count of messages outside its queues no longer changes."""
    for _ in range(_LOOKS):
        node.pause(1.0)
        if node.counts() != before:
            return False
    return True


def back(node: Node, options: argparse.Namespace) -> dict[str, Any]:
    """Takes injections again, and what has not left yet returns to its queues."""
    draining.end(node.layout)
    try:
        held = node.counts()
    except WebError as error:
        return _answer(node, None, waits=f"kumod: {error}")
    _do(node, Step(cancel=tuple(held.transfers)), options.reason or "the drain was taken back")
    return _answer(node, held)


_VERBS = {"show": show, "begin": begin, "step": step, "back": back}


def _answer(node: Node, held: Counts | None, **more: Any) -> dict[str, Any]:
    found = draining.read(node.layout)
    counted = held and {
        "mail": held.mail,
        "sending": held.sending,
        "leaving": held.leaving,
        "events": held.events,
        "held": held.held,
        "segments": held.segments,
        "busy": held.busy,
    }
    return {"draining": found and asdict(found), "counts": counted, **more}


def _targets(node: Node, addresses: Sequence[str]) -> tuple[list[str], list[str]]:
    """URLs of the nodes that take a connection, and addresses of those that do not."""
    if not addresses:
        return [], []
    port = _port(node)
    targets, away = [], []
    for address in addresses:
        try:
            socket.create_connection((address, port), timeout=_CONNECTS).close()
        except OSError:
            away.append(address)
        else:
            targets.append(f"http://{address}:{port}/")
    return targets, away


def _port(node: Node) -> int:
    """The port of the transfer listener, which is the same on all nodes."""
    try:
        settings = json.loads(node.layout.live(_SERVER).read_bytes())
        listener = str(settings["several_nodes"]["transfer"]["address"])
        return int(listener.rpartition(":")[2])
    except (OSError, ValueError, KeyError, TypeError):
        raise AgentError(
            "this node's policy has no listener for transfers", "push a release with several nodes"
        ) from None


def _do(node: Node, todo: Step, reason: str) -> None:
    deadline = Deadline(_SECONDS)
    if todo.refuse:
        draining.refuse(node.layout)
    for target in todo.cancel:
        # It ends what is in the queue now: what arrives later needs the next step.
        body = {"queue_name": f"{target}{TRANSFER_QUEUE}", "reason": reason}
        ask(f"{node.kumod}/api/admin/xfer/cancel/v1", "POST", body, deadline)
    for target, names in todo.transfer:
        request = {"queue_names": list(names), "target": target, "reason": f"drain: {reason}"}
        ask(f"{node.kumod}/api/admin/xfer/v1", "POST", request, deadline)
