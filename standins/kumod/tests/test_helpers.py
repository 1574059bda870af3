"""The shaping helper, with KumoMTA's names and signatures."""

from pathlib import Path

from standins.kumod import FakeResolver, Kumod
from standins.kumod.tests.policies import BASE, host, request

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
    kumo.on('get_egress_source', function(name)
      return kumo.make_egress_source { name = name }
    end)
    kumo.on('get_egress_pool', function(name)
      return kumo.make_egress_pool { name = name, entries = { { name = 'proxy-default' } } }
    end)
    kumo.on('get_queue_config', function()
      return kumo.make_queue_config { egress_pool = 'shared-default' }
    end)
    """
    )
    files = {"/opt/kumomta/etc/policy/s.toml": shaping}
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
    assert (attempt.source, attempt.port, attempt.tls) == (
        "proxy-default",
        2525,
        "OpportunisticInsecure",
    )


def test_validation_refuses_a_wrong_shaping_value(tmp_path: Path) -> None:
    result = _shaped(tmp_path, SHAPING + 'enable_tls = "Maybe"\n').validate()
    assert result.exit == 1
    assert "unknown variant `Maybe`" in result.output
