"""What a message costs: the same with few and with many sender domains, counted, not timed."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import policy as benchmark
from benchmarks import real_kumod
from policy.render import data
from tests.policy.kumomta.mta import QUEUE, Mta, answer

Host = Callable[..., Mta]
PER_DOMAIN_FREE = ("fs.read", "kumo.json_load", "memoize.store", "dkim.key_load")


def with_domains(root: Path, count: int) -> Mta:
    """A host whose sender domains are so many; what the others hold does not matter."""
    mta = Mta(root=root, options={"count_instructions": True})
    real_kumod.write_domains(mta.path("/opt/kumomta/etc/policy/data"), count)
    return mta.start()


def cost_of_a_message(mta: Mta) -> Counter[str]:
    for _ in range(3):
        mta.inject()
        mta.kumod.run()
    before = Counter(mta.kumod.counters)
    for _ in range(10):
        mta.inject()
        mta.kumod.run()
    after = Counter(mta.kumod.counters)
    return after - before


def test_a_message_costs_the_same_with_10_and_with_100000_sender_domains(tmp_path: Path) -> None:
    few = cost_of_a_message(with_domains(tmp_path / "few", 10))
    many = cost_of_a_message(with_domains(tmp_path / "many", 100_000))
    instructions = few.pop("lua.instructions"), many.pop("lua.instructions")
    assert few == many
    assert abs(instructions[0] - instructions[1]) <= instructions[0] * 0.01


def test_a_warm_host_reads_no_file_for_a_message(tmp_path: Path) -> None:
    cost = cost_of_a_message(with_domains(tmp_path, 10))
    assert {name: cost[name] for name in PER_DOMAIN_FREE} == dict.fromkeys(PER_DOMAIN_FREE, 0)
    assert cost["kumo.domain_map.new"] == 0


def test_an_event_reads_its_message_back_from_no_spool_and_decodes_no_json(tmp_path: Path) -> None:
    cost = cost_of_a_message(with_domains(tmp_path, 10))
    assert cost["kumo.json_parse"] == 0
    assert cost["kumo.json_encode"] == 0
    events = cost["HttpRequest:send"]
    assert events == 20
    assert cost["Message:get_data"] == events + 20, "an event's own text, once an attempt"


def test_a_waiting_event_is_in_the_spool_once(host: Host) -> None:
    mta = host(receiver=answer(503)).start()
    mta.inject()
    mta.kumod.run()
    events = [m for m in mta.kumod.scheduler.waiting() if m.queue_name() == QUEUE]
    assert len(events) == 2
    assert all(m.meta["log_record"] is None and m.data for m in events)


def test_kumod_walks_no_folder_of_keys_to_notice_a_change(mta: Mta) -> None:
    assert all("/policy/" in path for path in mta.kumod.monitor.files())


def test_the_handler_without_signing_costs_100_microseconds_at_most(tmp_path: Path) -> None:
    chosen = {"domains": [], "reception": {"unknownSenders": "accept"}}
    assert 50 < benchmark.price(benchmark.calls(tmp_path, **chosen)) <= 100


def test_the_document_has_the_counted_prices_of_today() -> None:
    assert benchmark.TARGET.read_text("utf-8").startswith(benchmark.counted_part()), (
        "run: python -m benchmarks.policy"
    )


@pytest.mark.parametrize("name", sorted(p.name for p in Path("policy/kumomta").glob("*.lua")))
def test_no_module_reaches_for_what_grows_with_the_number_of_domains(name: str) -> None:
    text = (Path(data.__file__).parents[1] / "kumomta" / name).read_text()
    assert "domain_map" not in text


def test_the_first_message_after_a_change_reads_a_sixteenth_of_the_sender_domains(
    tmp_path: Path,
) -> None:
    mta = with_domains(tmp_path, 10_000)
    mta.inject()
    bumped = mta.path("/opt/kumomta/etc/policy/data/sender_domains/0.json")
    bumped.write_text(bumped.read_text() + "\n")
    mta.kumod.advance(11)
    before = Counter(mta.kumod.counters)
    mta.inject()
    mta.inject()
    after = Counter(mta.kumod.counters) - before
    assert after["memoize.miss:ping8_sender_domains"] == 1
