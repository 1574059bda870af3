"""One table of what a host reports, what raises an alarm, and what the dashboard shows."""

from policy.metrics.model import Table, load
from policy.metrics.plan import Planned, planned_alarms

__all__ = ["Planned", "Table", "load", "planned_alarms"]
