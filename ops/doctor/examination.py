"""Runs checks side by side, each within its time, and gathers what they found."""

import concurrent.futures
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ops.doctor.finding import Finding, unknown

Checks = Callable[[], Sequence[Finding]]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One or several checks that share their look-ups.

    `check` and `subject` name what is unknown when `run` raises or takes too long.
    """

    check: str
    subject: str
    run: Checks


def examine(
    tasks: Sequence[Task],
    *,
    seconds: float,
    workers: int = 32,
    progress: Callable[[int, int], None],
) -> list[Finding]:
    """What all tasks found, within about `seconds`; what is late or broken is unknown.

    `progress` is told how many of how many are done.
    """
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=workers)
    deadline = time.monotonic() + seconds
    futures = {pool.submit(task.run): task for task in tasks}
    findings: list[Finding] = []
    done = 0
    try:
        left = max(0.0, deadline - time.monotonic())
        for future in concurrent.futures.as_completed(futures, timeout=left):
            findings += _outcome(futures[future], future)
            done += 1
            progress(done, len(futures))
    except TimeoutError:
        findings += _late(futures[future] for future in futures if not future.done())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return findings


def _outcome(task: Task, future: concurrent.futures.Future[Sequence[Finding]]) -> Sequence[Finding]:
    error = future.exception()
    if error is None:
        return future.result()
    return [unknown(task.check, task.subject, f"could not check: {error}")]


def _late(tasks: Iterable[Task]) -> list[Finding]:
    return [
        unknown(
            task.check,
            task.subject,
            "no answer in time",
            mend="run again with a longer --timeout, or look at the network between here and there",
        )
        for task in tasks
    ]
