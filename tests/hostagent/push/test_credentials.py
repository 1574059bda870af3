"""Old secrets: they come back only when asked for, and do not stay for ever."""

import os
import time

import pytest

from hostagent.errors import AgentError
from hostagent.push.recover import finish
from hostagent.push.rollback import rollback
from policy.release import ReleaseFile
from tests.hostagent.world import World, file, release

TOKENS = "/etc/nginx/ping8/tokens.conf"
DAY = 86400.0


def test_a_rollback_brings_no_revoked_credential_back_unasked(world: World) -> None:
    first, second = (
        release(file(TOKENS, token, mode=0o600, secret=True)) for token in ("revoked", "valid")
    )
    world.push(first)
    world.push(second)
    with pytest.raises(AgentError, match=TOKENS) as refusal:
        rollback(world.host(), None)
    assert "--old-credentials" in refusal.value.fix
    assert "revoked" not in refusal.value.what
    assert world.live() == second.id
    assert world.torn(first, second) is None
    rollback(world.host(), None, old_credentials=True)
    assert world.live() == first.id


def test_a_rollback_with_the_same_credentials_needs_no_restart(world: World) -> None:
    token = file(TOKENS, "valid", mode=0o600, secret=True)
    first, second = release(token), release(token, file("/etc/other", "x"))
    world.push(first)
    world.push(second)
    rollback(world.host(), None)
    assert world.live() == first.id


def environment(webhook: str, helo: str, *more: str) -> str:
    lines = [f'PING8_WEBHOOK_TOKEN="{webhook}"', f'KUMOPROXY_HELO="{helo}"', *more]
    return "".join(f"{line}\n" for line in lines)


def secret(path: str, text: str) -> ReleaseFile:
    return file(path, text, mode=0o600, secret=True)


ENVIRONMENT = "/etc/default/kumomta"
PEM = "-----BEGIN PRIVATE KEY-----\n{}AAAA==\n-----END PRIVATE KEY-----\n"


def test_a_limit_in_a_file_with_the_same_credentials_needs_no_restart(world: World) -> None:
    first = release(secret(ENVIRONMENT, environment("valid", "out1.example")))
    second = release(secret(ENVIRONMENT, environment("valid", "out2.example", 'X_KEY="new"')))
    world.push(first)
    world.push(second)
    rollback(world.host(), None)
    assert world.live() == first.id


@pytest.mark.parametrize(
    ("path", "then", "now"),
    [
        (ENVIRONMENT, environment("revoked", "a"), environment("valid", "a")),
        (ENVIRONMENT, environment("valid", "a", 'OLD_KEY="x"'), environment("valid", "a")),
        ("/opt/kumomta/etc/dkim/a/s1.key", PEM.format("A"), PEM.format("B")),
        (ENVIRONMENT, "anything\n", environment("valid", "a")),
    ],
)
def test_a_credential_that_is_no_longer_live_does_not_come_back(
    world: World, path: str, then: str, now: str
) -> None:
    world.push(release(secret(path, then)))
    world.push(live := release(secret(path, now)))
    with pytest.raises(AgentError, match=path):
        rollback(world.host(), None)
    assert world.live() == live.id


def test_what_was_replaced_two_weeks_ago_is_removed_with_its_secrets(world: World) -> None:
    world.root.joinpath("etc/default").mkdir(parents=True, exist_ok=True)
    world.root.joinpath("etc/default/kumomta").write_text("SECRET=old\n")
    releases = [release(file(TOKENS, token, mode=0o600, secret=True)) for token in "abc"]
    for one in releases:
        world.push(one)
    base = world.root / "opt/ping8"
    backup = base / "backup"
    assert any(backup.rglob("kumomta"))
    long_ago = time.time() - 15 * DAY
    for one in releases:
        os.utime(base / "releases" / one.id / "manifest.json", (long_ago, long_ago))
    for kept in backup.iterdir():
        os.utime(kept, (long_ago, long_ago))
    finish(world.host())
    # The one before was replaced a moment ago: there is a way back.
    assert {path.name for path in (base / "releases").iterdir()} >= {r.id for r in releases[1:]}
    assert not (base / "releases" / releases[0].id).exists()
    assert list(backup.iterdir()) == []
    os.utime(base / "current", (long_ago, long_ago), follow_symlinks=False)
    finish(world.host())
    assert not (base / "releases" / releases[1].id).exists()
    assert world.torn(releases[2]) is None
