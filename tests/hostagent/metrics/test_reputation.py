"""Refusals for reputation as the timer sends them and as `status` shows them."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import zstandard

from hostagent.metrics import configuration, status
from hostagent.reputation import command
from tests.hostagent.metrics.conftest import Make
from tests.hostagent.metrics.station import Server, captured
from tests.hostagent.world import World


def log(folder: Path, *refused: tuple[str, str, str]) -> None:
    """A finished segment of refusals: the record's type, provider and message."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    lines = (
        json.dumps(
            {
                "type": kind,
                "id": message,
                "timestamp": int(time.time()),
                "bounce_classification": "SpamBlock",
                "egress_source": "shop-1",
                "provider_name": provider,
                "response": {"code": 550, "content": "blocked, see https://x.example/list"},
            }
        )
        for kind, provider, message in refused
    )
    path = logs / f"20261128-120000.{len(list(logs.iterdir()))}"
    path.write_bytes(zstandard.compress(("\n".join(lines) + "\n").encode()))
    path.chmod(0o440)


def test_refusals_are_one_state_and_a_flow_that_costs_nothing_without_them(
    mta: Make, kumod: Server, tmp_path: Path
) -> None:
    here = mta()
    here.run()
    assert here.metrics()["reputation_refusals", ()] == 0
    assert not [key for key in here.metrics() if key[0] == "reputation_bounced"]
    log(tmp_path, ("Bounce", "outlook", "m1"), ("Bounce", "office365", "m2"))
    log(tmp_path, *(("TransientFailure", "google", f"g{number}") for number in range(3)))
    here.run()
    found = here.metrics()
    assert found["reputation_refusals", ()] == 1
    assert found["reputation_bounced", ("microsoft", "shop-1")] == 2
    assert ("reputation_bounced", ("google", "shop-1")) not in found
    here.run()
    assert here.metrics()["reputation_refusals", ()] == 1, "until somebody acknowledges it"
    words = ["acknowledge", "--provider", "google", "--reason", "asked", "--by", "ann"]
    assert command.main(words, tmp_path / "reputation.json") == 0
    here.run()
    assert here.metrics()["reputation_refusals", ()] == 0


def test_status_has_the_words_and_the_page_of_what_is_open(
    mta: Make, kumod: Server, host: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kumod.metrics = captured("busy")
    here = mta()
    log(tmp_path, *(("Bounce", "yahoo", f"y{number}") for number in range(3)))
    log(tmp_path, ("Bounce", "google", "g1"))
    here.run()
    monkeypatch.setattr(configuration, "PATH", here.places.config)
    live = here.host.layout.live(str(here.places.config))
    live.parent.mkdir(parents=True, exist_ok=True)
    live.write_bytes(here.places.config.read_bytes())
    answer: dict[str, Any] = status.status(host.host())
    (shown,) = answer["reputation"]
    assert (shown["provider"], shown["source"], shown["for_good"]) == ("yahoo", "shop-1", 3)
    assert shown["link"] == "https://x.example/list"
    values = {one["name"]: one["value"] for one in answer["metrics"]}
    assert values["reputation_refusals"] == 1
