"""Bounces and abuse reports as other mail servers send them."""

from collections.abc import Iterable

from tests.policy.kumomta.mta import Mta


def inbox(mta: Mta) -> list[bytes]:
    """The mail that is kept for people."""
    folder = mta.path("/var/spool/kumomta/ping8/inbox/new")
    return [path.read_bytes() for path in folder.iterdir()] if folder.is_dir() else []


def header_block(message: bytes) -> bytes:
    """The headers of a message, as reports return them."""
    return message.split(b"\r\n\r\n", 1)[0] + b"\r\n"


def bounce(
    original: bytes,
    *,
    recipients: Iterable[str] = ("u@example.net",),
    action: str = "failed",
    content_type: str = "text/rfc822-headers",
    sender: str = "MAILER-DAEMON@mx.example.net",
) -> bytes:
    """A delivery status notification (RFC 3464) with the original's headers, or all of it."""
    status = "".join(
        f"\r\nFinal-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: 5.1.1\r\n"
        f"Diagnostic-Code: smtp; 550 5.1.1 no such user {recipient}\r\n"
        for recipient in recipients
    )
    return _report(
        "delivery-status",
        "message/delivery-status",
        f"Reporting-MTA: dns; mx.example.net\r\n{status}".encode(),
        original,
        content_type,
        sender,
    )


def complaint(
    original: bytes,
    *,
    content_type: str = "message/rfc822",
    sender: str = "fbl@mailbox.example",
) -> bytes:
    """An abuse report (RFC 5965)."""
    return _report(
        "feedback-report",
        "message/feedback-report",
        b"Feedback-Type: abuse\r\nUser-Agent: Mailbox/1.0\r\nVersion: 1\r\n",
        original,
        content_type,
        sender,
    )


def _report(
    kind: str, content_type: str, status: bytes, original: bytes, returned: str, sender: str
) -> bytes:
    head = (
        f"From: {sender}\r\nTo: 7@bounce.example.com\r\nSubject: Undelivered mail\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="b1"\r\n\r\n'
        "--b1\r\nContent-Type: text/plain\r\n\r\n"
        "Subject: not the original's\r\nSorry.\r\n"
        f"--b1\r\nContent-Type: {content_type}\r\n\r\n"
    )
    return b"".join(
        (
            head.encode(),
            status,
            f"\r\n--b1\r\nContent-Type: {returned}\r\n\r\n".encode(),
            original,
            b"\r\n--b1--\r\n",
        )
    )
