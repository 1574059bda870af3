"""The stand-ins for KumoMTA's policy-extras, with KumoMTA's names and signatures."""

from __future__ import annotations

from pathlib import Path

from standins.kumod import FakeResolver, Kumod
from standins.kumod.tests.policies import BASE, host, request, started

SOURCES = """
[source."proxy-default"]
socks5_proxy_server = "10.0.0.5:5000"
socks5_proxy_source_address = "10.0.0.5"
ehlo_domain = "out.example.com"
[pool."shared-default"."proxy-default"]
weight = 3
"""
SHAPING = """
["default"]
enable_tls = "OpportunisticInsecure"
smtp_port = 2525
["ping8.log-hook"]
mx_rollup = false
connection_limit = "local:10"
["r.test"]
connection_limit = 3
["r.test".sources."proxy-default"]
max_message_rate = "5/s"
"""


def _shaped(folder: Path, shaping: str = SHAPING) -> Kumod:
    policy = (
        BASE
        + """
    local shaping = require 'policy-extras.shaping'
    local shaper = shaping:setup_with_automation {
      extra_files = { '/opt/kumomta/etc/policy/s.toml' } }
    kumo.on('get_egress_path_config', shaper.get_egress_path_config)
    require('policy-extras.sources'):setup { '/opt/kumomta/etc/policy/sources.toml' }
    kumo.on('get_queue_config', function()
      return kumo.make_queue_config { egress_pool = 'shared-default' }
    end)
    """
    )
    files = {
        "/opt/kumomta/etc/policy/s.toml": shaping,
        "/opt/kumomta/etc/policy/sources.toml": SOURCES,
    }
    dns = FakeResolver(mx={"alias.test": ["mx.r.test"]})
    return host(folder, policy, files=files, dns=dns)


def test_the_source_and_its_shaping_apply_to_the_path(tmp_path: Path) -> None:
    kumod = _shaped(tmp_path)
    assert kumod.start().started
    kumod.inject(request(recipients=[{"email": "u@r.test"}, {"email": "u@alias.test"}]))
    kumod.run()
    (queue,) = kumod.scheduler.ready.values()
    assert (queue.path["connection_limit"], queue.path["max_message_rate"]) == (3, "5/s")
    attempt = kumod.delivered_messages[0]
    assert (attempt.socks5_server, attempt.source_address) == ("10.0.0.5:5000", "10.0.0.5")
    assert (attempt.ehlo, attempt.port, attempt.tls) == (
        "out.example.com", 2525, "OpportunisticInsecure"
    )  # fmt: skip


def test_validation_refuses_a_wrong_shaping_value(tmp_path: Path) -> None:
    result = _shaped(tmp_path, SHAPING + 'enable_tls = "Maybe"\n').validate()
    assert result.exit == 1
    assert "unknown variant `Maybe`" in result.output


def test_validation_refuses_a_pool_with_an_undefined_source(tmp_path: Path) -> None:
    policy = (
        BASE
        + """
    require('policy-extras.sources'):setup { '/opt/kumomta/etc/policy/sources.toml' }"""
    )
    files = {"/opt/kumomta/etc/policy/sources.toml": '[pool."p"."nowhere"]\nweight = 1\n'}
    result = host(tmp_path, policy, files=files).validate()
    assert result.exit == 1
    assert "undefined source 'nowhere'" in result.output


def test_listener_domains_come_from_a_file(tmp_path: Path) -> None:
    policy = (
        BASE
        + """
    kumo.on('get_listener_domain', require('policy-extras.listener_domains'):setup {
      '/opt/kumomta/etc/policy/l.toml' })"""
    )
    files = {"/opt/kumomta/etc/policy/l.toml": '["*.d.test"]\nrelay_to = true\n'}
    kumod = started(tmp_path, policy, files=files)
    assert kumod.receive_smtp("x@y.test", ["a@b.d.test"], b"Subject: x\r\n\r\n").code == 250
    assert kumod.receive_smtp("x@y.test", ["a@e.test"], b"Subject: x\r\n\r\n").code == 550


def test_tenants_and_queues_come_from_a_file(tmp_path: Path) -> None:
    policy = (
        BASE
        + """
    require('policy-extras.sources'):setup { '/opt/kumomta/etc/policy/sources.toml' }
    local helper = require('policy-extras.queue'):setup { '/opt/kumomta/etc/policy/q.toml' }
    kumo.on('http_message_generated', function(msg) helper:apply(msg) end)"""
    )
    files = {
        "/opt/kumomta/etc/policy/sources.toml": SOURCES,
        "/opt/kumomta/etc/policy/q.toml": "tenant_header = 'X-Tenant'\n"
        "[tenant.'acme']\negress_pool = 'shared-default'\n[queue.default]\nmax_age = '1d'\n",
    }
    kumod = started(tmp_path, policy, files=files)
    kumod.inject(request("From: a@d.test\r\nX-Tenant: acme\r\n\r\nx\r\n"))
    kumod.run()
    (record,) = kumod.records_of("Delivery")
    assert (record["queue"], record["egress_pool"]) == ("acme@r.test", "shared-default")
    answer = kumod.inject(request("From: a@d.test\r\nX-Tenant: other\r\n\r\nx\r\n"))
    assert "500 tenant 'other'" in answer["errors"][0]


def test_the_stock_webhook_drops_an_event_on_any_failure(tmp_path: Path) -> None:
    policy = (
        BASE
        + """
    require('policy-extras.log_hooks'):new_json { name = 'w', url = 'http://hook.test/' }"""
    )
    kumod = started(tmp_path, policy)
    kumod.inject(request())
    kumod.run()
    assert {r["type"] for r in kumod.records if r["queue"] == "w.log_hook"} == {"TransientFailure"}
