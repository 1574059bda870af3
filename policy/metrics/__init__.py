"""What a host tells of itself, what of it is an alarm, and what the dashboard shows: one table."""

from policy.metrics.model import Signals, load
from policy.metrics.plan import Planned, planned_alarms

__all__ = ["Planned", "Signals", "load", "planned_alarms"]
