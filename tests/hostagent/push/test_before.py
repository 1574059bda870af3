"""A push is judged by what it changed: neither what was bad before nor a stranger rolls it back."""

import http.server
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from hostagent.commands import Result
from hostagent.errors import AgentError
from hostagent.push import recover
from policy.release import Check, Release
from tests.hostagent.push.test_interruption import killed
from tests.hostagent.world import POLICY, World, file, release

ENVIRONMENT = "/etc/default/kumomta"
RESTART = "restart kumomta.service"


class Server:
    """A kumod whose liveness check answers what a test says, or is silent."""

    def __init__(self) -> None:
        self.code = 200
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if server.code:
                    self.send_response(server.code)
                    self.end_headers()
                    self.wfile.write(b"disk is too full")

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        self.http = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/alive"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def made(server: Server, number: int) -> Release:
    text = f"A={number}\n"
    return release(
        file(f"{POLICY}/init.lua", f"-- {number}"),
        file(ENVIRONMENT, text, effects=(RESTART,)),
        checks=(Check(kind="liveness", target=server.url),),
    )


def answers(server: Server, code: int) -> Callable[[], None]:
    def act() -> None:
        server.code = code

    return act


def test_what_was_bad_before_does_not_roll_back_the_push_that_changes_something_else(
    world: World, server: Server
) -> None:
    world.push(made(server, 1))
    server.code = 503
    report = world.push(made(server, 2))
    assert world.live() == made(server, 2).id
    assert (
        report["bad_before"]
        == report["bad_still"]
        == [f"{server.url} answers 503 instead of 200 (disk is too full)"]
    )
    assert any("bad as before" in warning for warning in report["warnings"])


def test_a_push_that_repairs_what_was_bad_reports_it_as_bad_before_alone(
    world: World, server: Server
) -> None:
    world.push(made(server, 1))
    server.code = 503
    world.play.on[f"systemctl {RESTART}"] = answers(server, 200)
    report = world.push(made(server, 2))
    assert len(report["bad_before"]) == 1
    assert report["bad_still"] == []


@pytest.mark.parametrize(("before", "after"), [(200, 503), (503, 0)])
def test_what_a_push_makes_worse_is_rolled_back(
    world: World, server: Server, before: int, after: int
) -> None:
    world.push(made(server, 1))
    server.code = before
    world.play.on[f"systemctl {RESTART}"] = answers(server, after)
    with pytest.raises(AgentError, match="rolled back"):
        world.push(made(server, 2))
    assert world.live() == made(server, 1).id


def test_a_check_that_a_push_brings_is_not_excused(world: World, server: Server) -> None:
    world.push(release())
    server.code = 503
    with pytest.raises(AgentError, match="answers 503"):
        world.push(made(server, 1))
    assert world.live() == release().id


def test_a_unit_that_was_bad_and_fails_again_does_not_stop_the_repair_of_another(
    world: World, server: Server
) -> None:
    world.push(made(server, 1))
    world.play.state["nginx.service"] = "failed"
    world.play.refuse["systemctl start nginx.service"] = Result(1, "no certificate")
    report = world.push(made(server, 2))
    assert world.live() == made(server, 2).id
    assert report["bad_still"] == ["nginx.service is failed"]


def test_a_release_that_goes_back_knows_what_was_bad_before_it_also_after_a_kill(
    world: World, server: Server
) -> None:
    world.push(made(server, 1))
    server.code = 503

    def observer(step: str) -> None:
        if step == "switched":
            os.kill(os.getpid(), signal.SIGKILL)

    assert killed(world, lambda: world.push(made(server, 2), observer=observer))
    assert "is complete" in str(recover.finish(world.host())["done"])
    assert world.live() == made(server, 2).id


def test_words_of_strangers_in_the_journal_change_nothing(world: World, server: Server) -> None:
    world.push(made(server, 1))
    world.play.journal = (
        '{"path":"/panicked at"}\nstack traceback\n[emerg] no\nERROR in policy init.lua\n'
        '{"level":"ERROR","fields":{"message":"Error in SmtpServerSession"}}'
    )
    report = world.push(made(server, 2))
    assert world.live() == made(server, 2).id
    assert report["bad_before"] == report["bad_still"] == []


def test_a_service_that_systemd_had_to_restart_is_not_up(world: World, server: Server) -> None:
    world.push(made(server, 1))
    asked = 0

    def crash() -> None:
        nonlocal asked
        asked += 1
        world.play.restarts["kumomta.service"] = int(asked > 1)

    world.play.on["systemctl show --property=NRestarts --value kumomta.service"] = crash
    with pytest.raises(AgentError, match=r"kumomta\.service does not stay up"):
        world.push(made(server, 2))


def test_a_service_that_ends_a_moment_after_all_checks_held_is_seen(
    world: World, server: Server
) -> None:
    world.push(made(server, 1))
    began = world.clock

    def end() -> None:
        if world.clock > began + 2:
            world.play.state["kumomta.service"] = "failed"

    world.play.on["systemctl is-active"] = end
    with pytest.raises(AgentError, match=r"kumomta\.service failed"):
        world.push(made(server, 2))
