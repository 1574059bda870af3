"""Reception by SMTP: relay rules, the policy's event, and the reports that arrive this way."""

import ipaddress
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from standins.kumod import mime
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.headers import EnvelopeAddress
from standins.kumod.logs import Disposition, Response, new_session_id, stamp
from standins.kumod.lua import LuaContext
from standins.kumod.message import Message
from standins.kumod.objects import DataObject, LuaObject, method
from standins.kumod.pool import ContextPool
from standins.kumod.reports import parse_abuse_report, parse_bounce_report
from standins.kumod.scheduled import Scheduler

_LOCAL = ("127.0.0.1/32", "::1/128")
_LONGEST_LINE = 998


@dataclass(frozen=True, kw_only=True)
class SmtpAnswer:
    """A reply to an SMTP command."""

    code: int
    text: str
    command: str = "DATA"


class ConnMeta(LuaObject):
    """Metadata of an SMTP connection."""

    kind = "ConnectionMetaData"

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)


@method("ConnectionMetaData", "get_meta")
def conn_get_meta(_ctx: LuaContext, meta: ConnMeta, name: str) -> Any:
    return meta.values.get(name)


@method("ConnectionMetaData", "set_meta")
def conn_set_meta(_ctx: LuaContext, meta: ConnMeta, name: str, value: Any = None) -> None:
    meta.values[name] = value


@dataclass(frozen=True, kw_only=True)
class Relay:
    """What may become of a message for a domain."""

    relay: bool = False
    log_arf: str = "Ignore"
    log_oob: str = "Ignore"

    @property
    def accepts(self) -> bool:
        return self.relay or self.log_arf != "Ignore" or self.log_oob != "Ignore"


@dataclass(kw_only=True)
class SmtpState:
    """One session with a client."""

    listener: dict[str, Any]
    peer: str
    helo: str
    meta: ConnMeta
    session_id: str


class Reception:
    """Judges senders, recipients and messages of an ESMTP listener."""

    def __init__(
        self, pool: ContextPool, scheduler: Scheduler, log: Callable[[Disposition], None]
    ) -> None:
        self._pool = pool
        self._facts = pool.facts
        self._scheduler = scheduler
        self._record = log

    def session(self, listener: dict[str, Any], peer: str, helo: str) -> SmtpState:
        meta = ConnMeta(
            {
                "reception_protocol": "ESMTP",
                "received_from": f"{peer}:0",
                "ehlo_domain": helo,
                "received_via": listener["listen"],
                "hostname": listener.get("hostname") or socket.gethostname(),
            }
        )
        return SmtpState(
            listener=listener, peer=peer, helo=helo, meta=meta, session_id=new_session_id()
        )

    def transaction(
        self, sender: str, recipients: list[str], data: bytes, *, listener: dict[str, Any],
        peer: str, helo: str,
    ) -> SmtpAnswer:  # fmt: skip
        """A whole session with one message; the first refusal, else the answer to DATA."""
        state = self.session(listener, peer, helo)
        parsed = []
        for recipient in recipients:
            refusal = self.rcpt(state, sender, recipient)
            if refusal is not None:
                return refusal
            parsed.append(EnvelopeAddress.parse(recipient))
        return self.data(state, EnvelopeAddress.parse(sender), parsed, data)

    def rcpt(self, state: SmtpState, sender: str, recipient: str) -> SmtpAnswer | None:
        """None when the recipient is taken."""
        try:
            address = EnvelopeAddress.parse(recipient)
            EnvelopeAddress.parse(sender)
            relay = self._relay(state, address)
        except PolicyError as error:
            return self._policy_refusal(state, error, f"RCPT TO:<{recipient}>", sender, recipient)
        except KumoError as error:
            return self._reject(state, 501, f"5.1.3 {error}", "RCPT TO", sender, recipient)
        if not relay.accepts:
            return self._reject(
                state, 550, "5.7.1 relaying not permitted", f"RCPT TO:<{recipient}>", sender,
                recipient,
            )  # fmt: skip
        return None

    def _relay(self, state: SmtpState, recipient: EnvelopeAddress) -> Relay:
        hosts = state.listener.get("relay_hosts", _LOCAL)
        from_host = any(_in_network(state.peer, network) for network in hosts or ())
        context = self._pool.get()
        answer = None
        if context.has_handler("get_listener_domain"):
            answer = context.call(
                "get_listener_domain", recipient.domain, state.listener["listen"], state.meta
            )
        self._pool.put(context)
        if answer is None:
            return Relay(relay=from_host)
        if not isinstance(answer, DataObject) or answer.kind != "EsmtpDomain":
            raise KumoError("error converting Lua table to EsmtpDomain")
        domain = answer.data
        from_domain = any(_in_network(state.peer, net) for net in domain["relay_from"] or ())
        return Relay(
            relay=bool(domain["relay_to"]) or from_host or from_domain,
            log_arf=domain["log_arf"],
            log_oob=domain["log_oob"],
        )

    def data(
        self, state: SmtpState, sender: EnvelopeAddress, recipients: list[EnvelopeAddress],
        content: bytes,
    ) -> SmtpAnswer:  # fmt: skip
        """The answer to a message, after doing what it calls for."""
        refusal = self._unfit(state, sender, content)
        if refusal is not None:
            return refusal
        if state.listener.get("invalid_line_endings") == "Fix":
            content = mime.crlf(content)
        messages = []
        for recipient in recipients:
            message = self._message(state, sender, recipient, content)
            context = self._pool.get()
            try:
                if context.has_handler("smtp_server_message_received"):
                    context.call("smtp_server_message_received", message, state.meta)
            except PolicyError as error:
                return self._policy_refusal(state, error, "DATA", str(sender), str(recipient))
            self._pool.put(context)
            messages.append(message)
        return self._accept(state, messages)

    def _unfit(
        self, state: SmtpState, sender: EnvelopeAddress, content: bytes
    ) -> SmtpAnswer | None:
        """The refusal of data for its form, before anything reads it."""
        longest = state.listener.get("line_length_hard_limit", _LONGEST_LINE)
        refusal = None
        if len(content) > state.listener.get("max_message_size", 20 * 1024 * 1024):
            refusal = 552, "5.3.4 message too big"
        elif any(len(line) > longest for line in content.split(b"\r\n")):
            refusal = 500, "5.2.3 line too long"
        elif state.listener.get("invalid_line_endings", "Deny") == "Deny" and re.search(
            rb"(?<!\r)\n|\r(?!\n)", content
        ):
            # The one refusal that makes no record.
            return SmtpAnswer(code=552, text="5.6.0 message data must use CRLF for line endings")
        return self._reject(state, *refusal, "DATA", str(sender), "") if refusal else None

    def _message(
        self, state: SmtpState, sender: EnvelopeAddress, recipient: EnvelopeAddress, content: bytes
    ) -> Message:
        now = self._facts.now()
        message = Message(
            sender=sender, recipients=[recipient], data=content, created=now,
            meta=dict(state.meta.values),
        )  # fmt: skip
        trace = state.listener.get("trace_headers") or {}
        if trace.get("received_header", True):
            stamp = format_datetime(datetime.fromtimestamp(now, UTC))
            name = state.meta.values["hostname"]
            value = (
                f"from {state.helo} ({state.peer})\r\n  by {name} (KumoMTA)\r\n  with ESMTP "
                f"id {message.id} for <{recipient}>;\r\n  {stamp}"
            )
            message.prepend_header("Received", value)
        return message

    def _accept(self, state: SmtpState, messages: list[Message]) -> SmtpAnswer:
        """Every message is logged; the answer is a refusal only when nothing comes of any."""
        used = False
        for message in messages:
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
            used = used or onward or is_null or abuse is not None or bounce is not None
            if onward:
                self._scheduler.resolve(message.queue_name())
                self._pool.configuration.spool.save(message)
            self._log(state, message, bounce, abuse)
            if onward:
                self._scheduler.insert(message, context="Received")
        if not used:
            return SmtpAnswer(code=550, text="5.7.1 relaying not permitted")
        return SmtpAnswer(code=250, text=f"OK ids={' '.join(m.id for m in messages)}")

    def _log(
        self, state: SmtpState, message: Message, bounce: dict[str, Any] | None,
        abuse: dict[str, Any] | None,
    ) -> None:  # fmt: skip
        peer = (state.helo, state.peer)
        self._record(
            Disposition(
                kind="Reception" if abuse is None else "Feedback",
                message=message,
                response=Response(code=250, content=""),
                peer=peer,
                session_id=state.session_id,
                report=abuse,
            )
        )
        for entry in (bounce or {}).get("per_recipient", []):
            if entry["action"] == "failed":
                self._log_bounce(state, message, bounce or {}, entry)

    def _log_bounce(
        self, state: SmtpState, message: Message, report: dict[str, Any], entry: dict[str, Any]
    ) -> None:
        status = entry["status"]
        code, content = _diagnostic(entry["diagnostic_code"])
        recipient = entry["original_recipient"] or entry["final_recipient"]
        self._record(
            Disposition(
                kind="OOB",
                message=message,
                response=Response(
                    code=code,
                    enhanced=(status["class"], status["subject"], status["detail"]),
                    content=content,
                ),
                peer=(report["per_message"]["reporting_mta"]["name"], state.peer),
                session_id=state.session_id,
                overrides={
                    "sender": str(message.recipients[0]),
                    "recipient": recipient["recipient"],
                    "size": 0,
                    "num_attempts": 0,
                    **_attempted(entry["last_attempt_date"]),
                },
            )
        )

    def _policy_refusal(
        self, state: SmtpState, error: PolicyError, command: str, sender: str, recipient: str
    ) -> SmtpAnswer:
        if error.kind == "reject" and error.code is not None:
            return self._reject(state, error.code, error.message, command, sender, recipient)
        self._facts.diagnose("ERROR", f"Error in SMTP session: {error.text}")
        return self._reject(state, 421, "4.3.0 technical difficulties", command, sender, recipient)

    def _reject(
        self, state: SmtpState, code: int, text: str, command: str, sender: str, recipient: str
    ) -> SmtpAnswer:
        message = Message(
            sender=EnvelopeAddress(sender), recipients=[EnvelopeAddress(recipient)], data=b"",
            created=self._facts.now(), meta=dict(state.meta.values),
        )  # fmt: skip
        self._record(
            Disposition(
                kind="Rejection",
                message=message,
                response=Response(code=code, content=text, command=command),
                peer=(state.helo, state.peer),
                session_id=state.session_id,
                overrides={"id": "", "queue": ""},
            )
        )
        return SmtpAnswer(code=code, text=text, command=command)


def _in_network(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


def _try(parse: Any, message: Message) -> dict[str, Any] | None:
    """A broken report is no report."""
    try:
        found: dict[str, Any] | None = parse(message.data)
    except KumoError:
        return None
    return found


def _attempted(date: str | None) -> dict[str, Any]:
    """The record's moment is the report's, where that says one."""
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
