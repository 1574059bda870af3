"""Reports that a recipients' server sends back about a message: a late bounce, a complaint."""

import json
import smtplib
import ssl
import sys
from email.utils import formatdate
from pathlib import Path

import jinja2

from ops.doctor.resolver import LookupFailed, Resolver
from sandbox.dns import SERVER as DNS_SERVER
from sandbox.process import run
from sandbox.world import World
from sandbox.world.recipients import RECIPIENTS, Seen, mail_exchanger

_TIMEOUT = 30
_TYPES = {"bounce": "delivery-status", "complaint": "feedback-report"}
"""RFC 3464, and RFC 5965 as a mailbox provider's feedback loop sends it."""


def send_report(world: World, kind: str, seen_id: str, *, to: str | None = None) -> str:
    """Have the recipient's server send a `bounce` or `complaint` about a message it saw.

    It goes to the envelope sender's exchanger, or to that of another address.
    """
    given = (kind, seen_id, *([to] if to else []))
    return run(world.python("tests.sandbox.world.reports", *given), timeout=60).stdout.strip()


def report(kind: str, seen: Seen, to: str) -> bytes:
    """The report, with the original message as it came."""
    if seen.message is None:
        raise SystemExit(f"message {seen.id} was refused before its content came")
    domain = seen.recipient.rpartition("@")[2]
    template = Path(__file__).with_name("report.eml.j2").read_text("utf-8")
    head = jinja2.Template(template, trim_blocks=True, keep_trailing_newline=True).render(
        kind=kind,
        type=_TYPES[kind],
        seen=seen,
        to=to,
        domain=domain,
        exchanger=mail_exchanger(domain),
        now=formatdate(),
        arrived=formatdate(seen.time),
    )
    text: str = head.replace("\n", "\r\n") + seen.message + f"\r\n--report-{seen.id}--\r\n"
    return text.encode("latin-1")


def send(content: bytes, seen: Seen, to: str) -> str:
    """Deliver to the exchanger of the address's domain, from the reporting server's own address."""
    domain = seen.recipient.rpartition("@")[2]
    resolver = Resolver([DNS_SERVER])
    host, *_ = resolver.exchangers(to.rpartition("@")[2])
    with smtplib.SMTP(
        resolver.addresses(host)[0],
        local_hostname=mail_exchanger(domain),
        source_address=(RECIPIENTS[domain].address, 0),
        timeout=_TIMEOUT,
    ) as session:
        session.ehlo()
        if session.has_extn("starttls"):
            # Opportunistic, as between mail servers: the certificate is not judged.
            session.starttls(context=ssl._create_unverified_context())
        session.sendmail("", [to], content)
    return host


def _main(folder: str, kind: str, seen_id: str, to: str | None = None) -> None:
    for line in (Path(folder) / "mail.jsonl").read_text().splitlines():
        seen = Seen(**json.loads(line))
        if seen.id == seen_id:
            target = to or seen.mail_from
            try:
                host = send(report(kind, seen, target), seen, target)
            except (OSError, smtplib.SMTPException, LookupFailed) as error:
                raise SystemExit(f"{kind} for {target} not delivered: {error}") from error
            sys.stdout.write(f"{kind} for {target} delivered to {host}\n")
            return
    raise SystemExit(f"no message {seen_id} in {folder}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
