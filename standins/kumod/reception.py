"""Reception by SMTP: relay rules, the policy's event, and the reports that arrive this way."""

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, NamedTuple

from standins.kumod import mime
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.logs import Log, Response, address, new_session_id, stamp
from standins.kumod.message import Message
from standins.kumod.objects import DataObject, LuaObject
from standins.kumod.pool import ContextPool
from standins.kumod.reports import parse_abuse_report, parse_bounce_report
from standins.kumod.scheduled import Scheduler
from standins.kumod.smtp_types import SmtpReply

_LOCAL = ("127.0.0.1/32", "::1/128")
_LONGEST_LINE = 998
_LARGEST = 20 * 1024 * 1024


class Relay(NamedTuple):
    """What may be done with a message for a domain."""

    relay: bool
    log_arf: str = "Ignore"
    log_oob: str = "Ignore"


@dataclass(kw_only=True)
class SmtpState(LuaObject):
    kind = "ConnectionMetaData"
    listener: dict[str, Any]
    peer: str
    helo: str
    session_id: str = field(default_factory=new_session_id)

    @property
    def hostname(self) -> str:
        return self.listener.get("hostname") or socket.gethostname()

    def meta(self) -> dict[str, Any]:
        return {
            "reception_protocol": "ESMTP",
            "received_from": f"{self.peer}:0",
            "ehlo_domain": self.helo,
            "received_via": self.listener["listen"],
            "hostname": self.hostname,
        }


class Reception:
    def __init__(self, pool: ContextPool, scheduler: Scheduler, log: Log) -> None:
        self._pool = pool
        self._facts = pool.facts
        self._scheduler = scheduler
        self._log = log

    def rcpt(self, state: SmtpState, sender: str, recipient: str) -> SmtpReply | None:
        """None if the recipient is accepted."""
        try:
            EnvelopeAddress.parse(sender)
            relay = self._relay(state, EnvelopeAddress.parse(recipient))
        except PolicyError as error:
            return self._policy_refusal(state, error, sender, recipient)
        except KumoError as error:
            return self._reject(state, 501, f"5.1.3 {error}", sender, recipient)
        if relay == Relay(relay=False):
            return self._reject(state, 550, "5.7.1 relaying not permitted", sender, recipient)
        return None

    def _relay(self, state: SmtpState, recipient: EnvelopeAddress) -> Relay:
        def from_any(networks: list[str] | None) -> bool:
            peer = ipaddress.ip_address(state.peer)
            return any(peer in ipaddress.ip_network(net, strict=False) for net in networks or ())

        from_host = from_any(state.listener.get("relay_hosts", _LOCAL))
        with self._pool.borrowed() as context:
            listen = state.listener["listen"]
            answer = context.call("get_listener_domain", recipient.domain, listen, state)
        if answer is None:
            return Relay(relay=from_host)
        if not isinstance(answer, DataObject) or answer.kind != "EsmtpDomain":
            raise KumoError("error converting Lua table to EsmtpDomain")
        domain = answer.data
        relay = bool(domain["relay_to"]) or from_host or from_any(domain["relay_from"])
        return Relay(relay=relay, log_arf=domain["log_arf"], log_oob=domain["log_oob"])

    def data(
        self, state: SmtpState, sender: str, recipients: list[str], content: bytes
    ) -> SmtpReply:
        """The answer to a message, after acting on it."""
        refusal = self._unfit(state, sender, content)
        if refusal is not None:
            return refusal
        if state.listener.get("invalid_line_endings") == "Fix":
            content = mime.crlf(content)
        messages = []
        for recipient in recipients:
            message = self._message(state, sender, recipient, content)
            try:
                with self._pool.borrowed() as context:
                    context.call("smtp_server_message_received", message, state)
            except PolicyError as error:
                return self._policy_refusal(state, error, sender, recipient)
            messages.append(message)
        taken = [self._accept(state, message) for message in messages]
        if not any(taken):
            return SmtpReply(code=550, content="5.7.1 relaying not permitted")
        return SmtpReply(code=250, content=f"OK ids={' '.join(m.id for m in messages)}")

    def _unfit(self, state: SmtpState, sender: str, content: bytes) -> SmtpReply | None:
        """The refusal of malformed data, before anything reads it."""
        listener = state.listener
        longest = listener.get("line_length_hard_limit", _LONGEST_LINE)
        if len(content) > listener.get("max_message_size", _LARGEST):
            return self._reject(state, 552, "5.3.4 message too big", sender, "")
        if any(len(line) > longest for line in content.split(b"\r\n")):
            return self._reject(state, 500, "5.2.3 line too long", sender, "")
        bare = re.search(rb"(?<!\r)\n|\r(?!\n)", content)
        if bare and listener.get("invalid_line_endings", "Deny") == "Deny":
            # The one refusal that makes no record.
            return SmtpReply(code=552, content="5.6.0 message data must use CRLF for line endings")
        return None

    def _message(self, state: SmtpState, sender: str, recipient: str, content: bytes) -> Message:
        now = self._facts.now()
        message = Message(
            sender=EnvelopeAddress.parse(sender),
            recipients=[EnvelopeAddress.parse(recipient)],
            data=content,
            created=now,
            meta=state.meta(),
        )
        if (state.listener.get("trace_headers") or {}).get("received_header", True):
            message.prepend_header(
                "Received",
                f"from {state.helo} ({state.peer})\r\n  by {state.hostname} (KumoMTA)\r\n"
                f"  with ESMTP id {message.id} for <{recipient}>;\r\n"
                f"  {format_datetime(datetime.fromtimestamp(now, UTC))}",
            )
        return message

    def _accept(self, state: SmtpState, message: Message) -> bool:
        """Log a message and its report, and pass it on; true if it was used."""
        message.apply_trace(state.listener.get("trace_headers"))
        relay = self._relay(state, message.recipients[0])
        bounce = _try(parse_bounce_report, message) if relay.log_oob != "Ignore" else None
        abuse = _try(parse_abuse_report, message) if relay.log_arf != "Ignore" else None
        onward = relay.relay
        if abuse is not None:
            onward = relay.log_arf == "LogThenRelay"
        elif bounce is not None:
            onward = relay.log_oob == "LogThenRelay"
        is_null = message.queue_name() == "null"
        onward = onward and not is_null
        if onward:
            self._scheduler.resolve(message.queue_name())
            self._pool.configuration.spool.save(message)
        self._log_reception(state, message, bounce, abuse)
        if onward:
            self._scheduler.insert(message, context="Received")
        return onward or is_null or abuse is not None or bounce is not None

    def _log_reception(
        self,
        state: SmtpState,
        message: Message,
        bounce: dict[str, Any] | None,
        abuse: dict[str, Any] | None,
    ) -> None:
        reporter = bounce["reporting_mta"]["name"] if bounce else ""
        report = {} if abuse is None else {"feedback_report": abuse}
        self._log(
            "Feedback" if report else "Reception",
            message,
            Response(code=250, content=""),
            peer_address=address(state.helo, state.peer),
            session_id=state.session_id,
            **report,
        )
        for entry in (bounce or {}).get("recipients", ()):
            if entry["action"] == "failed":
                code, content = _diagnostic(entry["diagnostic_code"])
                recipient = entry["original_recipient"] or entry["final_recipient"]
                self._log(
                    "OOB",
                    message,
                    Response(code=code, enhanced=entry["status"], content=content),
                    peer_address=address(reporter, state.peer),
                    session_id=state.session_id,
                    sender=str(message.recipients[0]),
                    recipient=recipient["recipient"],
                    size=0,
                    num_attempts=0,
                    **_attempted(entry["last_attempt_date"]),
                )

    def _policy_refusal(
        self, state: SmtpState, error: PolicyError, sender: str, recipient: str
    ) -> SmtpReply:
        if error.kind == "reject" and error.code is not None:
            return self._reject(state, error.code, error.message, sender, recipient)
        self._facts.diagnose("ERROR", f"Error in SMTP session: {error.text}")
        return self._reject(state, 421, "4.3.0 technical difficulties", sender, recipient)

    def _reject(
        self, state: SmtpState, code: int, text: str, sender: str, recipient: str
    ) -> SmtpReply:
        message = Message(
            sender=EnvelopeAddress(sender),
            recipients=[EnvelopeAddress(recipient)],
            data=b"",
            created=self._facts.now(),
            meta=state.meta(),
        )
        self._log(
            "Rejection",
            message,
            Response(code=code, content=text),
            peer_address=address(state.helo, state.peer),
            session_id=state.session_id,
            id="",
            queue="",
        )
        return SmtpReply(code=code, content=text)


def _try(
    parse: Callable[[bytes], dict[str, Any] | None], message: Message
) -> dict[str, Any] | None:
    """A broken report counts as none."""
    try:
        return parse(message.data)
    except KumoError:
        return None


def _attempted(date: str | None) -> dict[str, Any]:
    """The record's time is the report's, if it has one."""
    if date is None:
        return {}
    moment = datetime.fromisoformat(date).timestamp()
    return {"timestamp": int(moment), "event_time": stamp(moment)}


def _diagnostic(diagnostic: dict[str, str] | None) -> tuple[int, str]:
    if diagnostic is None or diagnostic["diagnostic_type"] != "smtp":
        return 550, ""
    code, blank, content = diagnostic["diagnostic"].partition(" ")
    if blank and code.isdecimal():
        return int(code), content
    return 550, diagnostic["diagnostic"]
