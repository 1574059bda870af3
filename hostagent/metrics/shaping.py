"""What Traffic Shaping Automation holds back, as a metric."""

from hostagent import shaping
from hostagent.metrics.configuration import Config
from hostagent.metrics.model import Metric
from hostagent.web import Deadline


def suspended(config: Config, deadline: Deadline) -> Metric:
    """How many suspensions and bounces are in force."""
    return Metric("sites_suspended", float(len(shaping.in_force(config.kumod, deadline))), "Count")
