"""A stand-in for KumoMTA: strict by its recorded contract, with real Lua, mail, spool and logs.

Labelled as a stand-in wherever it shows. Policies are tested in process (``Kumod``); the sandbox
runs the same engine as a server (``standins.kumod.main``).
"""

from standins.kumod.engine import Kumod
from standins.kumod.errors import PolicyError
from standins.kumod.facts import FakeClock
from standins.kumod.http_client import HttpFailure, HttpRequest, HttpResponse
from standins.kumod.resolver import FakeResolver
from standins.kumod.smtp_types import SmtpAttempt, SmtpReply

__all__ = [
    "FakeClock",
    "FakeResolver",
    "HttpFailure",
    "HttpRequest",
    "HttpResponse",
    "Kumod",
    "PolicyError",
    "SmtpAttempt",
    "SmtpReply",
]
