"""The ESMTP listener: real sessions, judged by the engine's reception."""

import asyncio
import socket
import ssl
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from standins.kumod.reception import Reception, SmtpState
from standins.kumod.smtp_types import SmtpReply

_TIMEOUT = 60.0
_DEFAULT_SIZE = 20 * 1024 * 1024
_DEFAULT_RECIPIENTS = 1024


class _Smtp(SMTP):
    #: The listener's own limit is reception's to judge.
    line_length_limit = 2 * 1024 * 1024


class SmtpListener(Controller):
    def __init__(self, params: dict[str, Any], reception: Reception, tls: ssl.SSLContext) -> None:
        host, _, port = params["listen"].rpartition(":")
        self._params = params
        self._reception = reception
        super().__init__(
            self,
            hostname=host,
            port=int(port),
            server_hostname=params.get("hostname") or socket.gethostname(),
            ident=params.get("banner", "KumoMTA"),
            data_size_limit=params.get("max_message_size", _DEFAULT_SIZE),
            tls_context=tls,
            timeout=_TIMEOUT,
        )

    def factory(self) -> SMTP:
        return _Smtp(self.handler, **self.SMTP_kwargs)

    def _state(self, session: Any) -> SmtpState:
        if not hasattr(session, "state"):
            session.state = SmtpState(
                listener=self._params, peer=session.peer[0], helo=session.host_name
            )
        state: SmtpState = session.state
        return state

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        most = self._params.get("max_recipients_per_message", _DEFAULT_RECIPIENTS)
        if len(envelope.rcpt_tos) >= most:
            return "451 4.5.3 too many recipients"
        refusal = await asyncio.to_thread(
            self._reception.rcpt, self._state(session), envelope.mail_from, address
        )
        if refusal is not None:
            return _line(refusal)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Any, envelope: Any
    ) -> str:
        answer = await asyncio.to_thread(
            self._reception.data,
            self._state(session),
            envelope.mail_from,
            envelope.rcpt_tos,
            envelope.content,
        )
        return _line(answer)


def _line(answer: SmtpReply) -> str:
    return f"{answer.code} {' '.join(answer.content.splitlines())}"
