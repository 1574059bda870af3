"""Findings for tests of how they are shown: every check once, and the awkward texts."""

from ops.doctor.finding import Finding, Status, check_texts

LONG = "v=DKIM1; k=rsa; p=" + "MIIBIjANBgkqhkiG9w0BAQEFAAOC" * 12
HOSTILE = '<script>alert(1)</script> & "quotes" [bold]markup[/bold]'


def every_check(status: Status = Status.PASS) -> list[Finding]:
    """One finding of each check that exists."""
    return [
        Finding(
            check=check,
            subject="mta.mail.example.com",
            status=status,
            saw=f"what {check} saw",
            expected="" if status is Status.PASS else "something else",
            fix="" if status is Status.PASS else f"pulumi up -s prod # {check}",
        )
        for check in check_texts()
    ]


def mixed() -> list[Finding]:
    """Every check, some of them in trouble with long and hostile texts."""
    trouble = {
        "domain.spf": (Status.FAIL, HOSTILE),
        "domain.dkim-record": (Status.FAIL, LONG),
        "host.clock": (Status.UNKNOWN, "chronyc says nothing"),
        "mta.queue-age": (Status.WARN, "7.0 h"),
    }
    return [
        Finding(
            check=finding.check,
            subject=finding.subject,
            status=trouble[finding.check][0],
            saw=trouble[finding.check][1],
            expected="pass",
            fix="pulumi up --refresh -s prod",
        )
        if finding.check in trouble
        else finding
        for finding in every_check()
    ]
