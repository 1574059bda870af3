"""A full rotation of DKIM keys while mail flows, the clock of the command being ahead."""

import datetime
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer

from ops.receiver import Signature, signatures
from ops.rotate import command
from ops.yaml_edit import put
from sandbox import health
from sandbox.journey import letter
from sandbox.parts import STACK
from sandbox.process import SandboxError, wait_until
from sandbox.program import PROJECT
from sandbox.run import Sandbox
from tests.sandbox.e2e.deploying import deploy, on

pytestmark = pytest.mark.sandbox

SENDERS = ("news@news.ping8.test", "offers@shop.ping8.test")
"""A domain with its own keys, RSA and Ed25519, and one with its brand's."""
WISHES = command.Wishes(brand=None, domain=None, leaked=False, every=None, yes=True, as_json=True)
PUSH = "mail-release-mta-1-push"


@dataclass
class Mail:
    """Messages that PING8 sends all the time; each is verified when it arrives."""

    sandbox: Sandbox
    sent: set[str] = field(default_factory=set)
    verified: dict[str, tuple[str, list[Signature]]] = field(default_factory=dict)
    _done: threading.Event = field(default_factory=threading.Event)

    def send(self) -> None:
        """Until `stop`; what kumod does not take while it restarts is not sent."""
        ping8 = self.sandbox.ping8
        while not self._done.wait(0.3):
            for sender in SENDERS:
                one = letter(sender, "reader@accept.example")
                try:
                    status, _ = ping8.inject(one)
                except SandboxError:
                    continue
                if status == 200:
                    self.sent.add(one.subject)

    def verify(self) -> None:
        """Judges what is new by the keys that DNS has now: a resolver without a cache."""
        for seen in self.sandbox.world.messages():
            text = str(seen["message"])
            subject = text.partition("Subject: ")[2].partition("\r\n")[0]
            if subject in self.sent and subject not in self.verified:
                resolver = self.sandbox.resolver
                sender = text.partition("From: News <")[2].partition(">")[0]
                found = list(signatures(text.encode("latin-1"), resolver))
                self.verified[subject] = (sender, found)

    def signed_by(self, selector: str) -> bool:
        """Whether the newest message of each sender is signed with that selector."""
        self.verify()
        newest = dict(self.verified.values())
        return set(newest) == set(SENDERS) and all(
            found and {one.selector for one in found} <= {selector, f"{selector}-ed"}
            for found in newest.values()
        )

    def stop(self) -> None:
        """Sends no more, and waits for what was sent."""
        self._done.set()

        def arrived() -> bool:
            self.verify()
            return self.sent <= set(self.verified)

        wait_until(arrived, "every message to arrive", seconds=60, every=0.5)


@pytest.fixture
def stack_file(sandbox_up: Sandbox) -> Iterator[Path]:
    """The stack file; afterwards the keys that it named before are made anew."""
    path = sandbox_up.layout.state / "project" / "stacks" / f"Pulumi.{STACK}.yaml"
    before = path.read_text("utf-8")
    yield path
    # That changes keys that sign.
    path.write_text(put(before, ["config", f"{PROJECT}:accountChecks"], False), "utf-8")
    deploy(sandbox_up)
    path.write_text(before, "utf-8")
    _forget_keys(sandbox_up)


def _forget_keys(sandbox: Sandbox) -> None:
    """kumod caches keys for five minutes; a rotation leaves it an hour."""
    on(sandbox, "mta-1", "systemctl", "restart", "kumomta")
    health.require_healthy(sandbox.deployment, sandbox.hosts)


def test_every_message_of_a_full_rotation_is_verified_by_the_keys_in_dns(
    sandbox_up: Sandbox, stack_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mail = Mail(sandbox_up)
    sender = threading.Thread(target=mail.send, daemon=True)
    sender.start()
    now, kinds = datetime.datetime.now(datetime.UTC), []
    try:
        wait_until(lambda: mail.signed_by("s1"), "mail signed with s1", seconds=30)
        for _ in range(11):
            now += datetime.timedelta(seconds=1)
            rows = _rotate(stack_file, now, capsys)
            kinds.append({row["step"] or row["waits_for"] for row in rows})
            if any(row["up"] for row in rows):
                assert set(deploy(sandbox_up)) == _touched(kinds[-1], now)
            if kinds[-1] == {"sign"}:
                selector = "s2" if len(kinds) < 5 else "s1"
                wait_until(
                    lambda name=selector: mail.signed_by(name),  # type: ignore[misc]
                    f"mail signed with {selector}",
                    seconds=60,
                )
            if kinds[-1] == {"make"}:
                _forget_keys(sandbox_up)
            if all(row["until"] for row in rows):
                now = max(datetime.datetime.fromisoformat(row["until"]) for row in rows)
            mail.verify()
    finally:
        mail.stop()
        sender.join()
    assert kinds == [
        {"seen"}, {"caches"}, {"sign"}, {"signs"}, {"mail"}, {"make"},
        {"seen"}, {"caches"}, {"sign"}, {"signs"}, {"mail"},
    ]  # fmt: skip
    bad = [each for _, found in mail.verified.values() for each in found if not each.valid]
    assert bad == []
    assert all(found for _, found in mail.verified.values())
    used = {each.selector for _, found in mail.verified.values() for each in found}
    assert used == {"s1", "s1-ed", "s2", "s2-ed"}


def _rotate(
    stack_file: Path, now: datetime.datetime, capsys: pytest.CaptureFixture[str]
) -> list[dict[str, Any]]:
    capsys.readouterr()
    try:
        command.dkim(STACK, WISHES, directory=stack_file.parent, now=now)
    except typer.Exit as ended:
        assert ended.exit_code == 1
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def _touched(kinds: set[str], now: datetime.datetime) -> set[str]:
    """The resources that a step changes."""
    if kinds == {"sign"}:
        return {PUSH}
    made = f"{now:%Y%m%dT%H%M%SZ}"
    keys = {"shop-s1", "news.ping8.test-s1", "news.ping8.test-s1-ed"}
    records = {
        "s1.shop.dkim.mail.ping8.test",
        "s1._domainkey.news.ping8.test",
        "s1-ed._domainkey.news.ping8.test",
    }
    return {
        PUSH,
        *(f"mail-credentials-dkim-{key}" for key in keys),
        *(f"mail-credentials-dkim-{key}-{made}" for key in keys),
        *(f"mail-dns-txt-{record}" for record in records),
    }
