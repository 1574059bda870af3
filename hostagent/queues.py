"""Verb `queue`: lists kumod's queues, and suspends, resumes and bounces parts of them.

kumod's admin API accepts too much: a suspension without criteria stops every queue, even the
webhook's; it accepts unknown names; a restart forgets. So the criteria are checked
here against the existing queues, and each change is written to the journal of changes.
"""

import argparse
import time
import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hostagent.attempts import last_attempts
from hostagent.changes import CHANGES, last_changes, note
from hostagent.contract import AUTOMATION_QUEUE, EVENT_QUEUE, KUMOD_API
from hostagent.errors import AgentError
from hostagent.events.logs import LOGS
from hostagent.metrics.kumod import Metrics, created, rows
from hostagent.report import answer
from hostagent.text import duration_seconds
from hostagent.web import Deadline, WebError, ask, get_json

KUMOD = KUMOD_API
_SECONDS = 20.0
_LOG_SECONDS = 10.0
_LOOKED_INTO, _SAMPLE = 30, 50
"""How many of the fullest queues are sampled for the age of their mail, and how much of each."""
_INTERNAL = (EVENT_QUEUE, "ping8.")
"""Our own queues, which operators must not suspend: events to PING8 would stop."""


def main(
    arguments: Sequence[str], kumod: str = KUMOD, changes: Path = CHANGES, logs: Path = LOGS
) -> int:
    """Prints one line of JSON; an error is one line on standard error and status 1."""
    options = _parser().parse_args(arguments)
    options.logs = logs
    return answer(lambda: _VERBS[options.verb](options, kumod, changes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ping8-agent queue")
    parser.add_argument("verb", choices=sorted(_VERBS))
    parser.add_argument("--domain", help="routing domain of the messages")
    parser.add_argument("--brand", help="KumoMTA's tenant")
    parser.add_argument("--campaign")
    parser.add_argument("--provider", help="each domain whose last answer came from it")
    parser.add_argument("--reason", default="")
    parser.add_argument("--for", dest="duration", default="", help="such as 2h")
    parser.add_argument("--id", default="", help="of a suspension, for resume")
    parser.add_argument("--by", default="", help="who asked")
    return parser


def listed(options: argparse.Namespace, kumod: str, changes: Path) -> dict[str, Any]:
    """Queues with counts, age and last answer, suspensions, and the last changes."""
    deadline = Deadline(_SECONDS)
    metrics = _metrics(kumod, deadline)
    suspended = get_json(f"{kumod}/api/admin/suspend/v1", deadline)
    counts = _queues(metrics)
    fullest = sorted(counts, key=lambda name: -counts[name])
    attempts = last_attempts(fullest, options.logs, seconds=_LOG_SECONDS)
    now = time.time()
    queues = []
    for place, name in enumerate(fullest):
        campaign, tenant, domain = parts(name)
        last = attempts.get(name, {})
        seen = _sample(kumod, name, deadline) if place < _LOOKED_INTO else []
        ids = [str(one["id"]) for one in seen]
        due = [one["message"]["due"] for one in seen if one["message"].get("due")]
        queues.append(
            {
                "queue": name,
                "domain": domain,
                "brand": tenant,
                "campaign": campaign,
                "provider": last.get("provider", ""),
                "source": last.get("source", ""),
                "messages": int(counts[name]),
                "oldest_seconds": int(now - min(map(created, ids))) if ids else None,
                "next": min(due, default=None),
                "answer": last.get("answer", ""),
                "answered": last.get("at"),
                "suspended": [one.get("reason", "") for one in suspended if _covers(one, name)],
            }
        )
    return {
        "queues": queues,
        "ready": _ready(metrics),
        "suspended": suspended,
        "bounces": get_json(f"{kumod}/api/admin/bounce/v1", deadline),
        "changes": last_changes(changes),
    }


def _sample(kumod: str, queue: str, deadline: Deadline) -> list[dict[str, Any]]:
    """Some messages of a queue; none if it emptied meanwhile."""
    query = urllib.parse.urlencode({"queue_name": queue, "limit": _SAMPLE})
    try:
        answer = get_json(f"{kumod}/api/admin/inspect-sched-q/v1?{query}", deadline)
    except WebError:
        return []
    return list(answer.get("messages", ()))


def suspend(options: argparse.Namespace, kumod: str, changes: Path) -> dict[str, Any]:
    """Suspends messages for a time; they stay in their queues."""
    return _act(options, kumod, changes, "suspend")


def bounce(options: argparse.Namespace, kumod: str, changes: Path) -> dict[str, Any]:
    """Bounces messages permanently: PING8 gets an AdminBounce for each."""
    return _act(options, kumod, changes, "bounce")


def resume(options: argparse.Namespace, kumod: str, changes: Path) -> dict[str, Any]:
    """Ends a suspension, or a bounce that still applies to new mail."""
    deadline = Deadline(_SECONDS)
    for kind in ("suspend", "bounce"):
        found = get_json(f"{kumod}/api/admin/{kind}/v1", deadline)
        ids = [one["id"] for one in found if one["id"].startswith(options.id)]
        if options.id and len(ids) == 1:
            ask(f"{kumod}/api/admin/{kind}/v1", "DELETE", {"id": ids[0]}, deadline)
            note(changes, "resume", {"id": ids[0]}, options)
            return {"resumed": ids[0], "was": kind}
    raise AgentError(f"no suspension or bounce begins with {options.id!r}", "list them first")


_VERBS = {"list": listed, "suspend": suspend, "bounce": bounce, "resume": resume}


def parts(queue: str) -> tuple[str, str, str]:
    """Campaign, tenant and domain of a queue's name, `campaign:tenant@domain!route`."""
    before, at, domain = queue.rpartition("@")
    campaign, colon, tenant = before.rpartition(":")
    domain = (domain if at else queue).partition("!")[0]
    return (campaign if colon else ""), (tenant if at else ""), domain


def _act(options: argparse.Namespace, kumod: str, changes: Path, kind: str) -> dict[str, Any]:
    criteria = _criteria(options)
    if not options.reason.strip():
        raise AgentError(f"{kind} needs a reason", "give --reason")
    duration = options.duration
    duration_seconds(duration)
    queues = _queues(_metrics(kumod, Deadline(_SECONDS)))
    rules = _rules(options, criteria, queues)
    touched = [name for name in queues if any(_covers(rule, name) for rule in rules)]
    if not touched:
        raise AgentError(
            f"no queue has {', '.join(f'{k} {v}' for k, v in rules[0].items())}",
            f"there are {len(queues)} queues; list them first",
        )
    ids = []
    deadline = Deadline(_SECONDS)
    for rule in rules:
        reason = f"{options.by}: {options.reason}".strip(": ")
        body = {**rule, "reason": reason, "duration": duration}
        ids.append(ask(f"{kumod}/api/admin/{kind}/v1", "POST", body, deadline)["id"])
        note(changes, kind, {**rule, "id": ids[-1], "duration": duration}, options)
    count = sum(queues[name] for name in touched)
    return {"ids": ids, "queues": touched, "messages": int(count), "duration": duration}


def _criteria(options: argparse.Namespace) -> dict[str, str]:
    """The operator's criteria in kumod's terms; empty if only a provider."""
    named = {"domain": options.domain, "tenant": options.brand, "campaign": options.campaign}
    criteria = {name: value for name, value in named.items() if value}
    if not criteria and not options.provider:
        raise AgentError(f"{options.verb} without criteria would stop every queue", "name one")
    return criteria


def _rules(
    options: argparse.Namespace, criteria: Mapping[str, str], queues: Collection[str]
) -> list[dict[str, str]]:
    """Criteria for kumod, which knows no providers: one for each of the provider's domains."""
    if not options.provider:
        return [dict(criteria)]
    attempts = last_attempts(queues, options.logs, seconds=_LOG_SECONDS)
    domains = {
        parts(name)[2] for name, one in attempts.items() if one["provider"] == options.provider
    }
    if options.domain:
        domains &= {options.domain}
    if not domains:
        raise AgentError(
            f"no queue's last answer came from provider {options.provider}",
            "`ping8 queue list --by provider` shows their names; or use a domain",
        )
    return [{**criteria, "domain": domain} for domain in sorted(domains)]


def _metrics(kumod: str, deadline: Deadline) -> Metrics:
    answer = get_json(f"{kumod}/metrics.json", deadline)
    if not isinstance(answer, dict):
        raise WebError("kumod's metrics are not a table")
    return answer


def _queues(metrics: Metrics) -> dict[str, float]:
    """Messages by scheduled queue, without our own."""
    found = {labels["queue"]: count for labels, count in rows(metrics, "scheduled_count")}
    return {name: n for name, n in found.items() if not is_ours(parts(name)[2])}


def is_ours(domain: str) -> bool:
    """Events, mail to people, and records for automation: queues of this node alone."""
    return domain.startswith(_INTERNAL) or domain.endswith(AUTOMATION_QUEUE)


def _ready(metrics: Metrics) -> dict[str, int]:
    """Messages by site (`source->site`): those that have a connection, or wait for one."""
    prefix = "smtp_client:"
    found = rows(metrics, "ready_count")
    return {
        labels["service"][len(prefix) :]: int(count)
        for labels, count in found
        if labels.get("service", "").startswith(prefix) and count
    }


def _covers(criteria: Any, queue: str) -> bool:
    """Whether a suspension's criteria match a queue, as kumod decides it."""
    campaign, tenant, domain = parts(queue)
    wanted = (criteria.get("campaign"), criteria.get("tenant"), criteria.get("domain"))
    return all(
        want is None or want == have
        for want, have in zip(wanted, (campaign, tenant, domain))  # noqa: B905 - Python 3.10
    )
