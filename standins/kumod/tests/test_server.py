"""The stand-in as real processes: HTTP in, SMTP out through SOCKS5, events to a webhook."""

import errno
import getpass
import json
import os
import pwd
import signal
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from standins.kumod import kcli, main, proxy_server, validate_shaping
from standins.kumod.socks import SocksError, open_through
from standins.kumod.tests.outside import Process, Sink, Webhook, call, free_port, write
from standins.kumod.tests.policies import request
from standins.kumod.tests.test_mail import BOUNCE

USER = getpass.getuser()
POLICY = """
local kumo = require 'kumo'
kumo.on('pre_init', function()
  kumo.configure_log_hook { name = 'hook', headers = { 'Subject' } }
end)
kumo.on('init', function()
  kumo.define_spool { name = 'data', path = '@/spool/data', min_free_space = '0%' }
  kumo.define_spool { name = 'meta', path = '@/spool/meta', min_free_space = '0%' }
  kumo.configure_local_logs { log_dir = '@/logs', max_segment_duration = '1s' }
  kumo.start_http_listener { listen = '127.0.0.1:$HTTP', request_body_limit = 5000 }
  kumo.start_esmtp_listener {
    listen = '127.0.0.1:$SMTP', hostname = 'mta.example.com', relay_hosts = { '192.0.2.1' } }
end)
kumo.on('get_listener_domain', function(domain)
  if domain == 'bounce.d.test' then
    return kumo.make_listener_domain { log_oob = 'LogThenDrop' }
  end
end)
kumo.on('should_enqueue_log_record', function(msg)
  msg:set_meta('queue', 'hook.queue')
  return true
end)
kumo.on('get_queue_config', function(domain)
  if domain == 'hook.queue' then
    return kumo.make_queue_config {
      protocol = { custom_lua = { constructor = 'sender' } },
      retry_interval = '1s', max_retry_interval = '1s',
    }
  end
  return kumo.make_queue_config {
    protocol = { smtp = { mx_list = { { name = 'mx.r.test', addr = '127.0.0.1' } } } },
    egress_pool = 'pool', retry_interval = '1s', max_retry_interval = '1s',
  }
end)
kumo.on('get_egress_pool', function(name)
  return kumo.make_egress_pool { name = name, entries = { { name = 'proxied' } } }
end)
kumo.on('get_egress_source', function(name)
  return kumo.make_egress_source {
    name = name, ehlo_domain = 'out.example.com',
    socks5_proxy_server = '127.0.0.1:$PROXY', socks5_proxy_source_address = '127.0.0.2',
    socks5_proxy_username = 'kumod', socks5_proxy_password = { key_data = 'secret' },
  }
end)
kumo.on('get_egress_path_config', function()
  return kumo.make_egress_path {
    smtp_port = $SINK, prohibited_hosts = {}, enable_tls = 'OpportunisticInsecure' }
end)
kumo.on('sender', function()
  local sender, client = {}, kumo.http.build_client {}
  function sender:send(msg)
    local r = client:post('http://127.0.0.1:$HOOK/e'):body(msg:get_data()):send()
    if r:status_is_success() then return 'ok' end
    kumo.reject(451, 'status ' .. r:status_code())
  end
  function sender:close() client:close() end
  return sender
end)
"""
PROXY = """
local kumo = require 'kumo'
local proxy = require 'proxy'
kumo.on('proxy_init', function()
  proxy.start_proxy_listener { listen = '127.0.0.1:$PROXY', require_auth = true }
  proxy.start_http_listener { listen = '127.0.0.1:$STATUS' }
end)
kumo.on('proxy_server_auth_rfc1929', function(user, password)
  return user == 'kumod' and password == 'secret'
end)
"""


class World:
    """One MTA, its proxy, and what they talk to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("mx.r.test").configure_cert(context)
        self.sink = Sink(context)
        self.webhook = Webhook()
        self.http, self.smtp, self.proxy_port, self.status = (free_port() for _ in range(4))
        self.policy = write(folder, "init.lua", self._filled(POLICY))
        self.proxy = Process(
            "proxy_server",
            "--proxy-config",
            write(folder, "proxy.lua", self._filled(PROXY)),
            ready="http listener",
        )
        self.kumod = self.start()

    def _filled(self, text: str) -> str:
        values = {
            "@": str(self.folder),
            "$HTTP": self.http,
            "$SMTP": self.smtp,
            "$PROXY": self.proxy_port,
            "$STATUS": self.status,
            "$SINK": self.sink.port,
            "$HOOK": self.webhook.port,
        }
        for name, value in values.items():
            text = text.replace(name, str(value))
        return text

    def start(self) -> Process:
        return Process(
            "main", "--policy", self.policy, "--user", USER, ready="initialization complete"
        )

    def inject(self, subject: str) -> None:
        content = f"From: a@d.test\r\nTo: u@r.test\r\nSubject: {subject}\r\n\r\nhi\r\n"
        status, text = call(self.http, "/api/inject/v1", request(content))
        assert (status, json.loads(text)["success_count"]) == (200, 1), text

    def close(self) -> None:
        self.kumod.stop(signal.SIGKILL)
        self.proxy.stop(signal.SIGKILL)
        self.webhook.close()
        self.sink.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def test_a_message_travels_from_http_to_the_recipients_server(world: World) -> None:
    world.inject("journey")
    mail = world.sink.get()
    assert (mail.peer, mail.ehlo) == ("127.0.0.2", "out.example.com")
    assert mail.encrypted
    assert (mail.sender, mail.recipients) == ("a@d.test", ["u@r.test"])
    assert mail.data.startswith(b"X-KumoRef: ")
    event = world.webhook.get("Delivery")
    assert event["headers"] == {"Subject": "journey"}
    assert event["response"]["enhanced_code"] == {"class": 2, "subject": 0, "detail": 0}
    assert event["source_address"]["protocol"] == "socks5"
    assert event["source_address"]["address"].startswith("127.0.0.2:")
    assert event["peer_address"] == {"name": "mx.r.test", "addr": "127.0.0.1"}
    assert event["tls_protocol_version"].startswith("TLSv1")


def test_events_use_one_connection(world: World) -> None:
    world.webhook.connections = 0
    for number in range(3):
        world.inject(f"n{number}")
        world.sink.get()
        world.webhook.get("Delivery")
    assert world.webhook.connections <= 1


def test_events_wait_for_a_webhook_that_is_down(world: World) -> None:
    world.webhook.status = 503
    world.inject("down")
    world.sink.get()
    world.kumod.stop()
    world.webhook.status = 200
    world.kumod = world.start()
    assert world.webhook.get("Delivery")["headers"] == {"Subject": "down"}


def test_a_deferred_message_survives_a_kill(world: World) -> None:
    world.sink.answer = "451 4.7.0 later"
    world.inject("killed")
    world.sink.get()
    world.webhook.get("TransientFailure")
    world.kumod.stop(signal.SIGKILL)
    world.sink.answer = "250 ok"
    world.kumod = world.start()
    assert b"Subject: killed" in world.sink.get().data
    assert world.webhook.get("Delivery")["headers"] == {"Subject": "killed"}


def test_a_bounce_by_smtp_becomes_an_event(world: World) -> None:
    with smtplib.SMTP("127.0.0.1", world.smtp, timeout=30) as client:
        client.ehlo("mx.r.test")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.starttls(context=context)
        client.ehlo("mx.r.test")
        assert client.sendmail("", ["a+1@bounce.d.test"], BOUNCE) == {}
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
            client.sendmail("x@y.test", ["x@elsewhere.test"], b"Subject: x\r\n\r\n")
    assert refusal.value.recipients["x@elsewhere.test"] == (550, b"5.7.1 relaying not permitted")
    event = world.webhook.get("OOB")
    assert (event["sender"], event["recipient"]) == ("a+1@bounce.d.test", "u@r.test")


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/api/check-liveness/v1", None, {}, 200),
        ("/no/such/path", None, {}, 404),
        ("/api/inject/v1", {}, {}, 422),
        ("/api/inject/v1", {}, {"Content-Type": "text/plain"}, 415),
        ("/api/inject/v1", {"x": "y" * 6000}, {}, 413),
        ("/api/inject/v1", request(), {"Authorization": "Bearer x"}, 401),
        ("/api/admin/inspect-sched-q/v1?queue_name=x", None, {}, 404),
    ],
)
def test_the_listener_answers(
    world: World, path: str, body: object, headers: dict[str, str], status: int
) -> None:
    assert call(world.http, path, body, headers)[0] == status


def test_metrics_and_kcli_show_what_waits(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.sink.answer = "451 4.7.0 later"
    world.inject("waiting")
    world.sink.get()
    world.webhook.get("TransientFailure")
    endpoint = f"http://127.0.0.1:{world.http}"
    assert kcli.main(["--endpoint", endpoint, "queue-summary"]) == 0
    assert "r.test" in capsys.readouterr().out
    metrics = json.loads(call(world.http, "/metrics.json")[1])
    assert metrics["scheduled_by_domain"]["value"]["domain"]["r.test"] == 1
    assert 0 < metrics["disk_free_percent"]["value"]["name"]["data spool"] <= 100
    world.sink.answer = "250 ok"
    status, text = call(world.http, "/api/admin/bounce/v1", {"domain": "r.test", "reason": "test"})
    assert status == 200
    # It would end what other tests inject, too.
    made = {"id": json.loads(text)["id"]}
    assert call(world.http, "/api/admin/bounce/v1", made, method="DELETE")[0] == 200


def test_a_suspension_holds_mail_back_until_it_is_removed(world: World) -> None:
    body = {"domain": "r.test", "reason": "slow", "duration": "1h"}
    path = "/api/admin/suspend/v1"
    status, text = call(world.http, path, body)
    assert status == 200
    made = json.loads(text)["id"]
    world.inject("held")
    assert "scheduled queue is suspended: slow" in str(world.webhook.get("TransientFailure"))
    (listed,) = json.loads(call(world.http, path)[1])
    assert listed.pop("duration").endswith("s")
    assert listed == {
        "id": made, "domain": "r.test", "tenant": None, "campaign": None, "reason": "slow",
    }  # fmt: skip
    assert call(world.http, path, {"id": made}, method="DELETE") == (200, f"removed {made}")
    assert call(world.http, path, {"id": made}, method="DELETE")[0] == 404
    world.webhook.get("Delivery")
    world.sink.get()


def test_a_bounce_ends_what_waits_and_what_comes_until_it_expires(world: World) -> None:
    path = "/api/admin/bounce/v1"
    made = json.loads(call(world.http, path, {"domain": "r.test", "reason": "wrong"})[1])
    assert (made["bounced"], made["total_bounced"]) == ({}, 0)
    world.inject("ended")
    assert "Administrator bounced with reason: wrong" in str(world.webhook.get("AdminBounce"))
    (listed,) = json.loads(call(world.http, path)[1])
    assert listed["total_bounced"] == 1
    assert call(world.http, path, {"id": made["id"]}, method="DELETE")[0] == 200


@pytest.mark.parametrize("kind", ["suspend", "bounce"])
def test_a_rule_without_a_reason_is_rejected(world: World, kind: str) -> None:
    assert call(world.http, f"/api/admin/{kind}/v1", {"domain": "r.test"})[0] == 422


def test_the_proxy_shows_its_state(world: World) -> None:
    assert call(world.status, "/proxy/status")[0] == 401, "to everybody"
    metrics = json.loads(call(world.status, "/metrics.json")[1])
    listener = f"127.0.0.1:{world.proxy_port}"
    assert metrics["proxy_connections_accepted_total"]["value"]["listener"][listener] > 0
    assert metrics["proxy_active_connections"]["value"]["listener"].keys() == {listener}


def test_a_proxy_without_a_session_has_no_number_of_connections() -> None:
    assert proxy_server.Proxy().metrics()["proxy_active_connections"]["value"] is None


def test_the_proxy_refuses_a_wrong_password(world: World) -> None:
    with (
        socket.create_connection(("127.0.0.1", world.proxy_port)) as stream,
        pytest.raises(SocksError, match="authentication failed"),
    ):
        open_through(
            stream,
            ("127.0.0.1", world.sink.port),
            source=None,
            credentials=("kumod", "wrong"),
        )


@pytest.mark.parametrize("program", ["kumod", "proxy-server"])
def test_a_node_id_that_cannot_be_written_ends_the_program(
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As KumoMTA does under ProtectSystem=strict."""

    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    path = tmp_path / "nodeid"
    monkeypatch.setenv("KUMO_NODE_ID_PATH", str(path))
    monkeypatch.setattr(Path, "write_text", refuse)
    if program == "kumod":
        status = main.main(["--validate", "--user", pwd.getpwuid(os.geteuid()).pw_name])
    else:
        status = proxy_server.main(["--listen", f"127.0.0.1:{free_port()}"])
    assert status == 101
    said = f'Failed to write node id to "{path}": Read-only file system (os error 30)'
    assert said in capsys.readouterr().err


def test_the_node_id_is_kept_in_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "nodeid"
    monkeypatch.setenv("KUMO_NODE_ID_PATH", str(path))
    first = main.node_id()
    assert (path.read_text(), main.node_id()) == (first, first)
    path.write_text("")
    with pytest.raises(main.Panic, match="is not a valid UUID"):
        main.node_id()
    monkeypatch.setenv("KUMO_NODE_ID_PATH", str(tmp_path / "no/such/folder"))
    assert main.node_id().startswith("00000000-0000-1000-8000-"), "an id of this machine"


def test_it_stops_cleanly(world: World) -> None:
    assert world.kumod.stop(signal.SIGHUP) == 0
    world.kumod = world.start()


@pytest.fixture
def umask() -> Iterator[None]:
    """A command sets its own; the tests keep theirs."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_it_says_what_it_is(umask: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["--version"])
    assert capsys.readouterr().out.endswith("(ping8-mail stand-in)\n")


@pytest.mark.parametrize(
    ("policy", "user", "status", "said"),
    [
        ("", USER, 0, ""),
        ("require('kumo').make_egress_path { x = 1 }", USER, 1, "deserialize error: unknown"),
        ("", "no-such-user", 1, "Error: Invalid user no-such-user\n"),
    ],
)
def test_validation_by_command(
    tmp_path: Path,
    umask: None,
    capsys: pytest.CaptureFixture[str],
    policy: str,
    user: str,
    status: int,
    said: str,
) -> None:
    path = write(tmp_path, "init.lua", policy)
    assert main.main(["--validate", "--policy", path, "--user", user]) == status
    assert capsys.readouterr().err.startswith(said)


def test_shaping_files_are_validated_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write(tmp_path, "good.toml", '["default"]\nconnection_limit = 3\n')
    bad = write(tmp_path, "bad.toml", '["default"]\nconnection_limits = 3\n')
    assert validate_shaping.main([good]) == 0
    assert validate_shaping.main([bad]) == 1
    assert "unknown field `connection_limits`" in capsys.readouterr().err


def test_no_ready_queue_is_ever_suspended(world: World) -> None:
    path = "/api/admin/suspend-ready-q/v1"
    assert call(world.http, path) == (200, "[]")
    assert call(world.http, path, {"name": "a->b", "reason": "no"})[0] == 404
