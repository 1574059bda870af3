"""What a host reports, which of it is an alarm, and what the dashboard shows: one table."""

from policy.metrics.model import Table, load
from policy.metrics.plan import Planned, planned_alarms

__all__ = ["Planned", "Table", "load", "planned_alarms"]
