"""DNS that fails, and a proxy that goes away in the middle of a message, while mail flows."""

from collections.abc import Callable
from typing import Any

import pytest

from standins.kumod import FakeResolver, SmtpAttempt, SmtpReply
from standins.kumod.resolver import ResolveError
from tests.policy.kumomta.mta import Mta, accept

Host = Callable[..., Mta]
HOUR = 3600


class Failing(FakeResolver):
    """As unbound answers, or does not, while `reason` says so."""

    reason = ""

    def mx(self, domain: str) -> list[tuple[int, str]]:
        if self.reason:
            raise ResolveError(f"MX lookup for {domain} failed: {self.reason}")
        return super().mx(domain)

    def addresses(self, host: str) -> list[str]:
        if self.reason:
            raise ResolveError(f"A lookup for {host} failed: {self.reason}")
        return super().addresses(host)


def kinds(mta: Mta) -> list[Any]:
    return [event["type"] for event in mta.events()]


@pytest.mark.parametrize(
    "reason", ["connection refused", "SERVFAIL", "request timed out", "no connections available"]
)
def test_mail_waits_while_dns_fails_and_is_delivered_once_after(host: Host, reason: str) -> None:
    """The resolver is dead, its upstream fails, or is silent."""
    resolver = Failing()
    mta = host(resolver=resolver).start()
    mta.inject(recipients=("before@example.net",))
    mta.kumod.run()
    resolver.reason = reason
    for number in range(5):
        mta.inject(recipients=(f"u{number}@domain{number}.example",))
    mta.wait(2 * HOUR)
    assert len(mta.sent) == 1
    assert "Bounce" not in kinds(mta)
    resolver.reason = ""
    mta.wait(12 * HOUR)
    assert sorted(sent.recipient for sent in mta.sent) == [
        "before@example.net",
        *(f"u{number}@domain{number}.example" for number in range(5)),
    ]
    assert kinds(mta).count("Delivery") == kinds(mta).count("Reception") == 6


def test_a_proxy_that_dies_in_the_middle_of_messages_loses_none_and_doubles_none(
    host: Host,
) -> None:
    """The recipient's server has not answered: it forgets what came without its end."""
    broken = True

    def exchanger(attempt: SmtpAttempt) -> SmtpReply:
        if broken:
            raise OSError("connection reset by the proxy while sending DATA")
        return accept(attempt)

    mta = host(exchanger=exchanger).start()
    for number in range(10):
        mta.inject(recipients=(f"u{number}@example.net",))
    mta.wait(HOUR)
    assert kinds(mta).count("Delivery") == 0
    broken = False
    tried = len(mta.sent)
    mta.wait(12 * HOUR)
    taken = [sent.recipient for sent in mta.sent[tried:]]
    assert sorted(taken) == sorted(f"u{number}@example.net" for number in range(10))
    assert kinds(mta).count("Delivery") == 10
