"""The account of the gate for several MTA hosts."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.fleet.account import Ledger, table
from benchmarks.fleet.traffic import Traffic


def _sandbox(folder: Path) -> Any:
    outputs = {"injection_token": "token", "injection_addresses": ["203.0.113.11"]}
    return SimpleNamespace(layout=SimpleNamespace(world=folder), outputs=outputs, ping8_at=str)


def _write(path: Path, *lines: dict[str, Any]) -> None:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def _seen(name: str) -> dict[str, Any]:
    recipient = f"{name}@accept.example"
    return {"recipient": recipient, "message": "text", "time": 2.0, "peer": "203.0.113.12"}


def _call(name: str, kind: str) -> dict[str, Any]:
    body = json.dumps({"type": kind, "recipient": f"{name}@accept.example", "id": f"id-{name}"})
    return {"taken": True, "headers": {"x-ping8-event-id": f"{kind}-{name}"}, "body": body}


def test_what_is_missing_or_there_twice_is_counted_by_case(tmp_path: Path) -> None:
    _write(
        tmp_path / "mail.jsonl",
        *map(_seen, ["good", "twice", "twice", "sent-again", "sent-again", "silent"]),
        _seen("refused") | {"message": None},
    )
    told = ("good", "twice", "sent-again")
    calls = [_call(name, kind) for name in told for kind in ("Reception", "Delivery")]
    untaken = _call("silent", "Delivery") | {"taken": False}
    _write(tmp_path / "webhook.jsonl", *calls, calls[0], _call("silent", "Reception"), untaken)
    sandbox = _sandbox(tmp_path)
    traffic, ledger = Traffic(sandbox), Ledger(sandbox)
    for name in (*told, "silent", "refused"):
        traffic.accepted[name], traffic.cases[name] = 1.0, "a kill"
    traffic.unsure.add("sent-again")
    traffic.asked_to_wait["a kill"] = 7
    lost, gaps = ledger.missing(traffic)
    assert lost == ["refused"]
    assert gaps == [("silent", "Delivery"), ("refused", "Reception"), ("refused", "Delivery")]
    assert ledger.first_ids["good"] == "id-good"
    lines = list(table(traffic, ledger))
    assert "| a kill | 5 | 1 | 1 | 1 | 3 | 7 | 0 |" in lines
    assert lines[-1].endswith("again with the same id: 1.")
