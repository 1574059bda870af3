"""Recorded behaviours of the real kumod that a decision of the policy depends on.

`behaviour/` holds a few of the recorded cases as they are, with what kumod did; the stand-in plays
them in process.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from standins.kumod import FakeClock, FakeResolver, Kumod, SmtpReply

CASES = Path(__file__).parent / "behaviour"
EXPECTED: dict[str, Any] = json.loads((CASES / "expected.json").read_text())
FIELDS = ["type", "queue", "code", "text", "attempts"]


def value(record: Mapping[str, Any], field: str) -> str:
    """A field of a log record as the recording shows it."""
    enhanced = record["response"].get("enhanced_code") or {}
    match field:
        case "code":
            found = record["response"]["code"]
        case "text":
            found = record["response"]["content"].split("\n")[0]
        case "enhanced":
            found = ".".join(str(part) for part in enhanced.values())
        case "attempts":
            found = f"attempts={record['num_attempts']}"
        case "source":
            found = record.get("egress_source")
        case "pool":
            found = record.get("egress_pool")
        case _:
            found = record.get(field)
    return "null" if found is None else str(found)


def play(name: str, root: Path) -> dict[str, Any]:
    """What the stand-in did, by the names of the recorded steps."""
    case = yaml.safe_load((CASES / name / "case.yaml").read_text())
    places = {"SPOOL": "/spool", "LOGS": "/logs", "TMP": str(root), "HTTP": "8000", "SINK": "25"}
    policy = (CASES / name / "policy.lua").read_text()
    for key, place in places.items():
        policy = policy.replace(f"@{key}@", place)
    (root / "policy.lua").write_text(policy)
    for file, content in case.get("files", {}).items():
        (root / file).write_text(content)
    zone = case.get("dns", {})
    kumod = Kumod(
        str(root / "policy.lua"),
        root=root,
        clock=FakeClock(),
        smtp=lambda _attempt: SmtpReply(code=250, content="ok"),
        dns=FakeResolver(
            mx={host: [mx for _, mx in records.get("MX", [])] for host, records in zone.items()},
            a={host: records.get("A", []) for host, records in zone.items()},
        ),
    )
    told: dict[str, Any] = {}
    for step in case["steps"]:
        verb, options = next(
            (key, more) for key, more in step.items() if key not in ("as", "loose")
        )
        options = options if isinstance(options, dict) else {}
        match verb:
            case "start":
                assert kumod.start().started
            case "inject":
                for number in range(options.get("times", 1)):
                    for recipient in options.get("to", ["u@r.test"]):
                        kumod.inject(
                            {
                                "envelope_sender": "s@ours.test",
                                "recipients": [{"email": recipient.format(i=number)}],
                                "content": "From: s@ours.test\r\nSubject: t\r\n\r\nx\r\n",
                            }
                        )
                kumod.run()
            case "until" | "sleep":
                kumod.advance(60)
            case "records":
                wanted = options.get("where", {})
                told[step["as"]] = Counter(
                    " | ".join(value(record, field) for field in options.get("fields", FIELDS))
                    for record in kumod.records
                    if all(
                        record[key] == needed or record[key] in needed
                        for key, needed in wanted.items()
                    )
                )
    return told


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_stand_in_does_what_kumod_did(name: str, tmp_path: Path) -> None:
    told = play(name, tmp_path)
    for step, expected in EXPECTED[name].items():
        assert told[step] == Counter(expected)
