"""Verb `shaping`: what Traffic Shaping Automation has suspended or changed, and ends a suspension.

tsa-daemon knows each decision with its rule and end; kumod has the suspensions that are in force.
"""

import argparse
import re
import time
from calendar import timegm
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hostagent.changes import CHANGES, note
from hostagent.contract import KUMOD_API, TSA
from hostagent.errors import AgentError
from hostagent.report import answer
from hostagent.web import Deadline, WebError, ask, get, get_json

AUTOMATION = "automation rule: "
"""How the reason of a decision begins; an operator's begins with a name."""
_SITE, _KINDS = "suspend-ready-q", ("suspend-ready-q", "suspend", "bounce")
_WORDS = {"suspend-ready-q": "site", "suspend": "queues", "bounce": "bounce"}
_SECONDS = 20.0
_HASH = re.compile(r" \(rule_hash=\S+\)$")
_TABLE = re.compile(r'\["?(?P<domain>[^"]+)"?\.sources\."?(?P<source>[^"]+?)"?\]')
_SETTING = re.compile(r"(?P<name>\w+) = (?P<value>.+)")


def main(
    arguments: Sequence[str], kumod: str = KUMOD_API, tsa: str = TSA, changes: Path = CHANGES
) -> int:
    """Prints one line of JSON; an error is one line on standard error and status 1."""
    parser = argparse.ArgumentParser(prog="ping8-agent shaping")
    parser.add_argument("verb", choices=["list", "lift"])
    parser.add_argument("--site", default="", help="as listed")
    parser.add_argument("--reason", default="")
    parser.add_argument("--by", default="", help="who asked")
    options = parser.parse_args(arguments)
    if options.verb == "lift":
        return answer(lambda: _lift(options, kumod, changes))
    return answer(lambda: listed(kumod, tsa))


def listed(kumod: str, tsa: str) -> dict[str, Any]:
    """Suspensions in force, those that were lifted before their end, and changed settings."""
    deadline = Deadline(_SECONDS)
    suspended = in_force(kumod, deadline)
    found: dict[str, Any] = {"suspended": suspended, "lifted": [], "changed": [], "problem": ""}
    try:
        decided = get_json(f"{tsa}/get_suspension_v1/suspended.json", deadline)["ready_q"]
        text = _text(f"{tsa}/get_config_v1/shaping.toml", deadline)
    except WebError as error:
        return found | {"problem": str(error)}
    held = {one["name"] for one in suspended}
    found["lifted"] = [
        _decision(_SITE, {**one, "name": one["site_name"]})
        for one in decided
        if one["site_name"] not in held
    ]
    found["changed"] = list(_changed(text))
    return found


def _text(url: str, deadline: Deadline) -> str:
    status, body = get(url, deadline)
    if status != 200:
        raise WebError(f"{url} answers {status}")
    return body.decode("utf-8", "replace")


def in_force(kumod: str, deadline: Deadline) -> list[dict[str, Any]]:
    """What kumod has: every suspended site, and automation's suspensions and bounces of queues."""
    return [
        _decision(kind, one)
        for kind in _KINDS
        for one in get_json(f"{kumod}/api/admin/{kind}/v1", deadline)
        if kind == _SITE or one["reason"].startswith(AUTOMATION)
    ]


def _decision(kind: str, one: dict[str, Any]) -> dict[str, Any]:
    source, _, site = one.get("name", "").partition("->")
    parts = (one.get(name) for name in ("campaign", "tenant", "domain"))
    return {
        "kind": _WORDS[kind],
        "id": one.get("id", ""),
        "name": one.get("name", ""),
        "site": site.rpartition("@")[0] or " ".join(part for part in parts if part),
        "source": source,
        "reason": _HASH.sub("", one["reason"]),
        "ends": _unix(one["expires"]) if one.get("expires") else None,
        "left": one.get("duration", ""),
    }


def _unix(text: str) -> int:
    """kumod writes nanoseconds, which Python 3.10 does not read."""
    return timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))


def _changed(text: str) -> Any:
    """tsa-daemon's shaping file: before each setting, its reason and end as comments."""
    place: dict[str, str] = {}
    comments: dict[str, str] = {}
    for line in text.splitlines():
        if table := _TABLE.fullmatch(line):
            place = table.groupdict()
        elif line.startswith("# ") and ": " in line:
            key, _, value = line[2:].partition(": ")
            comments[key] = value
        elif place and "expires" in comments and (setting := _SETTING.fullmatch(line)):
            yield {
                **place,
                **setting.groupdict(),
                "reason": comments.get("reason", ""),
                "ends": _unix(comments["expires"]),
            }
            comments = {}


def _lift(options: argparse.Namespace, kumod: str, changes: Path) -> dict[str, Any]:
    if not options.reason.strip():
        raise AgentError("lifting a suspension needs a reason", "give --reason")
    deadline = Deadline(_SECONDS)
    meant = [one for one in in_force(kumod, deadline) if options.site in (one["site"], one["name"])]
    if not meant:
        raise AgentError(f"{options.site} is not suspended", "`ping8 shaping` lists what is")
    kinds = {word: kind for kind, word in _WORDS.items()}
    for one in meant:
        url = f"{kumod}/api/admin/{kinds[one['kind']]}/v1"
        ask(url, "DELETE", {"id": one["id"]}, deadline)
        note(changes, "lift", {"site": one["name"] or one["site"], "was": one["reason"]}, options)
    return {"lifted": meant}
