"""Small policies, and hosts (folders) to run them on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from standins.kumod import Kumod

BASE = """
local kumo = require 'kumo'
kumo.on('init', function()
  kumo.define_spool { name = 'data', path = '/var/spool/kumomta/data' }
  kumo.define_spool { name = 'meta', path = '/var/spool/kumomta/meta' }
  kumo.configure_local_logs { log_dir = '/var/log/kumomta', max_segment_duration = '5m' }
  kumo.start_http_listener { listen = '127.0.0.1:8000' }
  kumo.start_esmtp_listener {
    listen = '0.0.0.0:25', hostname = 'mta.example.com', relay_hosts = { '192.0.2.1' } }
end)
"""
HOOK = """
kumo.on('pre_init', function() kumo.configure_log_hook { name = 'hook' } end)
kumo.on('should_enqueue_log_record', function(msg)
  msg:set_meta('queue', 'hook.queue')
  return true
end)
kumo.on('get_queue_config', function(domain)
  if domain == 'hook.queue' then
    return kumo.make_queue_config {
      protocol = { custom_lua = { constructor = 'sender' } },
      retry_interval = '1m', max_retry_interval = '1m', max_age = '1h',
    }
  end
end)
kumo.on('sender', function()
  local sender, client = {}, kumo.http.build_client {}
  function sender:send(msg)
    local r = client:post('http://hook.test/e'):body(msg:get_data()):send()
    if r:status_is_success() then return 'ok' end
    kumo.reject(451, 'status ' .. r:status_code())
  end
  return sender
end)
"""


def host(folder: Path, policy: str, **options: Any) -> Kumod:
    """A stand-in with that policy, whose host is a folder."""
    files: Mapping[str, str] = options.pop("files", {})
    for name, text in {"/opt/kumomta/etc/policy/init.lua": policy, **files}.items():
        path = Path(f"{folder}{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    options.setdefault("env", {})
    return Kumod(root=folder, **options)


def started(folder: Path, policy: str, **options: Any) -> Kumod:
    """As ``host``, running."""
    kumod = host(folder, policy, **options)
    result = kumod.start()
    assert result.started, result.error
    return kumod


def request(
    content: str
    | dict[str, Any] = "From: a@d.test\r\nTo: u@r.test\r\nSubject: hello\r\n\r\nhello\r\n",
    **more: Any,
) -> dict[str, Any]:
    """An injection request."""
    return {
        "envelope_sender": "a@d.test",
        "recipients": [{"email": "u@r.test"}],
        "content": content,
        **more,
    }
