"""The obvious ways that fail on kumod, one test each: the policy takes the way that works."""

import ipaddress
import re
from collections.abc import Callable

import pytest

from policy.render.mta import render_mta
from standins.kumod import SmtpReply
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.message import Message
from tests.policy.kumomta.environments import settings
from tests.policy.kumomta.mta import QUEUE, Mta, answer
from tests.policy.kumomta.reports import bounce, header_block

Host = Callable[..., Mta]


def rendered(mta: Mta, path: str) -> str:
    """A file of the MTA host's release."""
    release = render_mta(mta.settings, "mta-1", mta.addresses, mta.secrets)
    return next(file.content.decode() for file in release.files if file.path == path)


def test_sources_and_pools_are_answers_of_events_and_no_values_of_the_top_level(mta: Mta) -> None:
    assert mta.kumod.counters["kumo.make_egress_source"] == 0
    assert mta.kumod.counters["kumo.make_egress_pool"] == 0
    mta.inject()
    mta.kumod.run()
    (delivery,) = mta.events("Delivery")
    assert (delivery["egress_pool"], delivery["egress_source"]) == (
        "shared-default",
        "proxy-default",
    )


def test_a_proxy_is_named_to_kumod_by_address_and_port(mta: Mta) -> None:
    mta.inject()
    mta.kumod.run()
    server = mta.kumod.smtp.connections[0].source["socks5_proxy_server"]
    assert re.fullmatch(r"10(\.\d+){3}:5000", server)


def test_the_proxy_binds_a_private_address_and_not_the_elastic_ip(mta: Mta) -> None:
    mta.inject()
    mta.kumod.run()
    (delivery,) = mta.events("Delivery")
    bound = mta.kumod.smtp.connections[0].source["socks5_proxy_source_address"]
    assert ipaddress.ip_address(bound).is_private
    assert bound != mta.addresses.sources["proxy-default"].public
    assert delivery["source_address"]["protocol"] == "socks5"


def test_spools_logs_and_the_log_hook_outlive_a_new_lua_context(host: Host) -> None:
    mta = host(options={"max_context_age": 1.0}).start()
    mta.kumod.advance(30)
    assert mta.inject()["success_count"] == 1
    assert mta.kumod.counters["lua.context"] > 2
    assert mta.kumod.counters["kumo.define_spool"] == 2


def test_an_event_about_the_webhook_queue_makes_no_event(mta: Mta) -> None:
    context = mta.kumod.pool.get()

    def wanted(hook: str, **fields: object) -> object:
        record = {"type": "Delivery", "reception_protocol": "HTTP", "queue": "default@x.example"}
        message = hook_message({"log_record": record | {"timestamp": 1, **fields}})
        return context.call("should_enqueue_log_record", message, hook)

    assert wanted("ping8") is True
    assert wanted("ping8", queue=QUEUE) is False
    assert wanted("ping8", reception_protocol="LogRecord") is False
    assert wanted("somebody-elses") is None


def hook_message(meta: dict[str, object]) -> Message:
    """A log hook's message with that metadata."""
    return Message(
        sender=EnvelopeAddress.parse("7@bounce.example.com"),
        recipients=[EnvelopeAddress.parse("u@example.net")],
        data=b"{}",
        created=0.0,
        meta=meta,
    )


@pytest.mark.parametrize("status", [302, 400, 401, 404, 500])
def test_no_answer_of_the_webhook_drops_an_event(host: Host, status: int) -> None:
    mta = host(receiver=answer(status)).start()
    mta.inject()
    mta.wait(3600)
    assert mta.kumod.records_of("Bounce", queue=QUEUE) == []
    waiting = [m for m in mta.kumod.scheduler.waiting() if m.queue_name() == QUEUE]
    assert len(waiting) + len(mta.dead_letters()) == 2


def test_events_share_the_http_client_of_their_sender(mta: Mta) -> None:
    for _ in range(30):
        mta.inject()
    mta.kumod.run()
    assert mta.kumod.counters["kumo.http.build_client"] == 1


def test_the_service_manager_reads_the_environment_file(mta: Mta) -> None:
    unit = rendered(mta, "/etc/systemd/system/kumomta.service.d/ping8.conf")
    assert "EnvironmentFile=/etc/default/kumomta" in unit


def test_what_kumod_reads_once_needs_a_restart(mta: Mta) -> None:
    release = render_mta(mta.settings, "mta-1", mta.addresses, mta.secrets)
    effects = {effect for file in release.files for effect in file.effects}
    assert "restart kumomta.service" in effects
    assert "reload kumomta.service" not in effects


def test_the_policy_goes_live_as_one_directory(mta: Mta) -> None:
    release = render_mta(mta.settings, "mta-1", mta.addresses, mta.secrets)
    assert "/opt/kumomta/etc/policy" in release.linked_directories


def test_the_log_hook_names_metadata_and_no_headers(mta: Mta) -> None:
    hook = mta.kumod.hooks["ping8"]
    assert not hook.get("headers")
    assert {"X-PING8-Message-Id", "verified", "first_id"} < {*hook["meta"]}
    assert hook["per_record"]["Any"]["template"]


def test_nginx_does_not_pass_authorization_on(mta: Mta) -> None:
    site = rendered(mta, "/etc/nginx/sites-enabled/ping8.conf")
    assert re.search(r'proxy_set_header\s+Authorization\s+"";', site)


def test_reports_are_logged_and_dropped_and_never_relayed(mta: Mta) -> None:
    mta.inject()
    mta.kumod.run()
    report = bounce(header_block(mta.sent[0].data))
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], report)
    mta.kumod.receive_smtp("", ["7@bounce.example.com"], report)
    mta.wait(3600)
    assert len(mta.sent) == 1
    assert len(mta.events("OOB")) == 2


def test_reports_come_from_domains_that_are_not_ours(mta: Mta) -> None:
    mta.inject()
    mta.kumod.run()
    report = bounce(header_block(mta.sent[0].data), sender="MAILER-DAEMON@elsewhere.example")
    taken = mta.kumod.receive_smtp("x@elsewhere.example", ["7@bounce.example.com"], report)
    assert taken.code == 250


def test_bounces_come_back_to_a_domain_of_ours_that_aligns(mta: Mta) -> None:
    mta.inject(sender="returns@somewhere.example")
    mta.kumod.run()
    sender = mta.sent[0].sender
    assert sender == "returns@bounce.example.com"
    mta.exchanger = lambda _attempt: SmtpReply(code=250, content="ok")
    assert mta.kumod.receive_smtp("", [sender], bounce(header_block(mta.sent[0].data))).code == 250


def test_the_webhook_queues_own_limit_lies_far_above_the_events(mta: Mta) -> None:
    mta.inject()
    mta.kumod.run()
    queue = mta.kumod.scheduler.resolve(QUEUE)
    assert (queue.seconds("max_age") or 0) > 10 * 7 * 86_400


def test_brands_that_are_isolated_share_no_source(host: Host) -> None:
    chosen = settings(
        sources=[
            {"name": "proxy-default", "proxy": "proxy-1", "ehlo": "out1"},
            {"name": "shop", "proxy": "proxy-1", "ehlo": "shop1"},
        ],
        pools=[
            {"name": "shared-default", "sources": {"proxy-default": 1}},
            {"name": "shop", "sources": {"shop": 1}},
        ],
        brands=[
            {"name": "default", "pool": "shared-default"},
            {"name": "shop", "pool": "shop", "isolated": True},
        ],
        domains=[{"name": "example.com"}, {"name": "shop.example", "brand": "shop"}],
    )
    mta = host(settings=chosen).start()
    for _ in range(10):
        mta.inject()
        mta.inject(headers={"From": "x@shop.example"})
    mta.kumod.run()
    used = {(attempt.sender.partition("@")[2], attempt.source) for attempt in mta.sent}
    assert used == {("bounce.example.com", "proxy-default"), ("bounce.shop.example", "shop")}
