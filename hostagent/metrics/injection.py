"""Whether Nginx accepts PING8's requests: kumod alone is not enough."""

from hostagent.metrics.configuration import Config
from hostagent.metrics.model import Metric
from hostagent.push.health import refuses_strangers


def injection_up(config: Config) -> Metric:
    """Nginx answers, and refuses a request without a token."""
    why = refuses_strangers(f"https://{config.tls}/api/inject/v1")
    return Metric("injection_up", float(why is None), "None")
