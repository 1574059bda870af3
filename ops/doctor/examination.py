"""Runs checks in parallel within a time limit and collects what they found."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ops.doctor.finding import Finding, unknown
from ops.doctor.https import Unreachable
from ops.doctor.reach import FIXES
from ops.doctor.resolver import LookupFailed
from policy.errors import UserError

Checks = Callable[[], Sequence[Finding]]

_FIXES: Mapping[type[Exception], str] = {
    UserError: "",  # its message has the fix
    LookupFailed: "use another DNS server (--resolver), or see where it fails: dig +trace",
    Unreachable: "check that the host runs and its firewall allows this machine; see host.login",
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """Checks that share their look-ups; if `run` fails, all of `checks` are unknown.

    `cause` gives the root cause that several errors share.
    """

    checks: tuple[str, ...]
    subject: str
    run: Checks
    cause: Callable[[Exception], str] = str


def examine(
    tasks: Sequence[Task],
    *,
    seconds: float,
    workers: int = 64,
    progress: Callable[[int, int], None],
    clock: Callable[[], float] = time.monotonic,
) -> list[Finding]:
    """What all tasks found within `seconds`; checks that are late or fail are unknown.

    `progress` gets the number of tasks done and of all tasks. Late tasks continue in daemon
    threads, which do not keep the program running.
    """
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Sequence[Finding]]] = queue.SimpleQueue()
    over = threading.Event()
    for index in range(len(tasks)):
        todo.put(index)

    def work() -> None:
        while not over.is_set():
            try:
                index = todo.get_nowait()
            except queue.Empty:
                return
            done.put((index, outcome(tasks[index])))

    for _ in range(min(workers, len(tasks))):
        threading.Thread(target=work, daemon=True).start()
    try:
        return _gathered(tasks, done, end=clock() + seconds, clock=clock, progress=progress)
    finally:
        over.set()


def _gathered(
    tasks: Sequence[Task],
    done: "queue.SimpleQueue[tuple[int, Sequence[Finding]]]",
    *,
    end: float,
    clock: Callable[[], float],
    progress: Callable[[int, int], None],
) -> list[Finding]:
    findings: list[Finding] = []
    pending = dict(enumerate(tasks))
    while pending:
        try:
            index, found = done.get(timeout=max(0.0, end - clock()))
        except queue.Empty:
            return [*findings, *_late(pending.values())]
        findings += found
        del pending[index]
        progress(len(tasks) - len(pending), len(tasks))
    return findings


def outcome(task: Task) -> Sequence[Finding]:
    """What a task found; if it fails, all its checks are unknown."""
    try:
        return task.run()
    except Exception as caught:  # the operator sees it, and the other checks continue
        error = caught
    fix = next((fix for kind, fix in _FIXES.items() if isinstance(error, kind)), None)
    why = str(error)
    if fix is None:
        why = f"{type(error).__name__}: {error}"
        fix = "report this to the maintainers of ping8-mail"
    cause = task.cause(error)
    seen = unknown(f"could not check: {why}", fix=FIXES.get(cause, fix), cause=cause)
    return [seen.of(check, task.subject) for check in task.checks]


def _late(tasks: Iterable[Task]) -> list[Finding]:
    fix = "run again with a longer --timeout, or check the network"
    late = unknown("no answer in time", fix=fix)
    return [late.of(check, task.subject) for task in tasks for check in task.checks]
