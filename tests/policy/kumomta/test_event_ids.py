"""Event ids: Lua on the way to PING8 and Python on a replay compute the same."""

from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hostagent.events.record import event_id
from standins.kumod.message import Message
from tests.policy.kumomta.mta import Mta
from tests.policy.kumomta.test_traps import hook_message

_TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)
_RECORDS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Delivery", "Bounce", "OOB", "Feedback", "Expiration"]),
        "id": st.from_regex(r"[0-9a-f]{0,32}", fullmatch=True),
        "recipient": st.one_of(_TEXT, st.lists(_TEXT, min_size=1, max_size=3)),
        "event_time": st.one_of(st.none(), _TEXT, st.floats(1e9, 2e9)),
        "created_time": st.one_of(st.none(), _TEXT),
        "timestamp": st.integers(0, 4_000_000_000),
        "created": st.integers(0, 4_000_000_000),
        "num_attempts": st.integers(0, 65_535),
        "reception_protocol": st.just("HTTP"),
        "queue": st.just("default@example.net"),
    }
)


@hypothesis_settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(record=_RECORDS)
def test_lua_and_python_agree_on_the_id_of_any_record(mta: Mta, record: dict[str, Any]) -> None:
    message: Message = hook_message({"log_record": record})
    context = mta.kumod.pool.get()
    assert context.call("should_enqueue_log_record", message, "ping8") is True
    mta.kumod.pool.put(context)
    assert message.meta["ping8_event_id"] == event_id(record)
