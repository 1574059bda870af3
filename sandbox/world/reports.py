"""Reports that a recipients' server sends back about a message: a late bounce, a complaint."""

import email.utils
import json
import smtplib
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import dns.exception
import dns.resolver

from sandbox.dns import SERVER as DNS_SERVER
from sandbox.world.recipients import RECIPIENTS, Seen, mail_exchanger

_TIMEOUT = 30


def bounce(seen: Seen, to: str) -> bytes:
    """A delivery status notification (RFC 3464) that says that the mailbox is gone."""
    domain = seen.recipient.rpartition("@")[2]
    status = (
        f"Reporting-MTA: dns; {mail_exchanger(domain)}\n"
        f"Arrival-Date: {email.utils.formatdate(seen.time)}\n"
        "\n"
        f"Final-Recipient: rfc822; {seen.recipient}\n"
        "Action: failed\n"
        "Status: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 No such user here\n"
    )
    return _report(
        seen,
        to,
        subject="Undelivered Mail Returned to Sender",
        text="This mailbox does not exist.\n",
        kind="delivery-status",
        fields=status,
    )


def complaint(seen: Seen, to: str) -> bytes:
    """An abuse report (RFC 5965) as a mailbox provider's feedback loop sends it."""
    fields = (
        "Feedback-Type: abuse\n"
        "User-Agent: sandbox/1\n"
        "Version: 1\n"
        f"Original-Mail-From: <{seen.mail_from}>\n"
        f"Original-Rcpt-To: <{seen.recipient}>\n"
        f"Arrival-Date: {email.utils.formatdate(seen.time)}\n"
        f"Source-IP: {seen.peer}\n"
    )
    return _report(
        seen,
        to,
        subject="Abuse report",
        text="A user marked this message as unwanted.\n",
        kind="feedback-report",
        fields=fields,
    )


KINDS: dict[str, Callable[[Seen, str], bytes]] = {"bounce": bounce, "complaint": complaint}


def send(report: bytes, *, seen: Seen, to: str) -> str:
    """Deliver to the exchanger of the address's domain, from the reporting server's own address."""
    domain = seen.recipient.rpartition("@")[2]
    host = exchanger_of(to.rpartition("@")[2])
    with smtplib.SMTP(
        resolver().resolve(host, "A")[0].to_text(),
        25,
        local_hostname=mail_exchanger(domain),
        source_address=(RECIPIENTS[domain].address, 0),
        timeout=_TIMEOUT,
    ) as session:
        session.ehlo()
        if session.has_extn("starttls"):
            # Opportunistic, as between mail servers: the certificate is not judged.
            session.starttls(context=ssl._create_unverified_context())  # noqa: S323
        session.sendmail("", [to], report)
    return host


def exchanger_of(domain: str) -> str:
    """Best MX of a domain."""
    answers = resolver().resolve(domain, "MX")
    best = min(answers, key=lambda record: int(record.preference))
    return str(best.exchange).rstrip(".")


def resolver() -> dns.resolver.Resolver:
    """Asks the sandbox's DNS alone."""
    found = dns.resolver.Resolver(configure=False)
    found.nameservers = [DNS_SERVER]
    found.lifetime = 5
    return found


def _report(seen: Seen, to: str, *, subject: str, text: str, kind: str, fields: str) -> bytes:
    """The three parts of a `multipart/report`, written out: the parts must stay as they are."""
    if seen.message is None:
        raise SystemExit(f"message {seen.id} was refused before its content came")
    domain = seen.recipient.rpartition("@")[2]
    boundary = f"report-{seen.id}"
    head = (
        f"From: <postmaster@{domain}>\n"
        f"To: <{to}>\n"
        f"Subject: {subject}\n"
        f"Date: {email.utils.formatdate()}\n"
        f"Message-ID: {email.utils.make_msgid(domain=mail_exchanger(domain))}\n"
        "MIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="{boundary}"\n'
        "\n"
        f"--{boundary}\nContent-Type: text/plain; charset=us-ascii\n\n{text}\n"
        f"--{boundary}\nContent-Type: message/{kind}\n\n{fields}\n"
        f"--{boundary}\nContent-Type: message/rfc822\n\n"
    )
    original = seen.message.encode("latin-1")
    end = f"\r\n--{boundary}--\r\n".encode()
    return head.replace("\n", "\r\n").encode() + original + end


def _main(folder: str, kind: str, seen_id: str, to: str | None = None) -> None:
    for line in (Path(folder) / "mail.jsonl").read_text().splitlines():
        seen = Seen(**json.loads(line))
        if seen.id == seen_id:
            target = to or seen.mail_from
            try:
                host = send(KINDS[kind](seen, target), seen=seen, to=target)
            except (OSError, smtplib.SMTPException, dns.exception.DNSException) as error:
                raise SystemExit(f"{kind} for {target} not delivered: {error}") from error
            sys.stdout.write(f"{kind} for {target} delivered to {host}\n")
            return
    raise SystemExit(f"no message {seen_id} in {folder}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
