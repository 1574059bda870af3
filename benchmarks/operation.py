"""One operation of the engine and its program: a process of its own that prints what it took.

`benchmarks.engine` starts it. This process is the program, its child is the engine; with the
program `plain` that child is `pulumi` as an operator runs it, and starts the program itself.
"""

import asyncio
import json
import os
import resource
import runpy
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pulumi_aws as aws
import pulumi_tls as tls
from pulumi import automation

from components import config

ROOT = Path(__file__).parents[1]
STACK, REGION = "dev", "eu-central-1"
_SAMPLE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one operation took. Memory in MiB, state in bytes."""

    resources: int
    program_cpu: float
    engine_cpu: float
    seconds: float
    program_memory: int
    engine_memory: int
    state: int


def operate(program: str, engine: Path, folder: Path, step: str, all_: int, keys: int) -> Cost:
    """One operation, in this process."""
    config.STACKS = folder / "stacks"
    programs: dict[str, automation.PulumiFn] = {
        "platform": _platform,
        "bare": lambda: _bare(all_, keys),
        "bare-waiting": lambda: _bare_waiting(all_, keys),
    }
    inline = programs.get(program)
    stack = _stack(engine, folder, program, inline)
    watch = _Watch()
    began, spent = time.monotonic(), _cpu(resource.RUSAGE_CHILDREN)
    act: Callable[[], Any] = stack.up if step == "up" else stack.preview
    act()
    watch.stop()
    return Cost(
        program_cpu=_cpu(resource.RUSAGE_SELF) - watch.cpu if inline else 0,
        engine_cpu=_cpu(resource.RUSAGE_CHILDREN) - spent,
        seconds=time.monotonic() - began,
        program_memory=_status("self", "VmHWM") if inline else 0,
        engine_memory=watch.peak,
        state=sum(path.stat().st_size for path in _states(folder)),
        resources=types(folder).total(),
    )


def types(folder: Path) -> Counter[str]:
    """How many resources of each type the state has."""
    found = [
        json.loads(path.read_text("utf-8"))["checkpoint"]["latest"] for path in _states(folder)
    ]
    return Counter(item["type"] for each in found if each for item in each.get("resources", []))


def _states(folder: Path) -> list[Path]:
    return list((folder / ".pulumi" / "stacks").rglob("*.json"))


class _Watch:
    """The peak memory of the engine and all that it starts, which is gone with them.

    What `getrusage` says of a child counts its memory before it became the engine: this process's.
    `peak` is in MiB, `cpu` what watching took.
    """

    def __init__(self) -> None:
        self.peak = 0
        self.cpu = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        own = Path("/proc/self/exe").readlink()
        while not self._over.wait(_SAMPLE_SECONDS):
            for child in _children("self"):
                with suppress(OSError):
                    if Path(f"/proc/{child}/exe").readlink() != own:
                        self.peak = max(self.peak, _memory(child))
        self.cpu = time.thread_time()


def _memory(process: str) -> int:
    """Of the process and all below it; MiB."""
    return _status(process, "VmRSS") + sum(map(_memory, _children(process)))


def _children(process: str) -> Iterator[str]:
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        # A thread may have ended since it was listed.
        with suppress(OSError):
            yield from children.read_text().split()


def _status(process: str, field: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) // 1024
    return 0


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _platform() -> None:
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


def _bare(all_: int, keys: int) -> None:
    for number in range(keys):
        tls.PrivateKey(f"key-{number}", algorithm="RSA", rsa_bits=2048)
    # The stack itself and two providers are resources too.
    for number in range(all_ - keys - 3):
        aws.route53.Record(
            f"record-{number}",
            zone_id=os.environ["BENCHMARK_ZONE"],
            name=f"d{number}.bare.test",
            type="TXT",
            ttl=300,
            records=["v=DMARC1; p=none"],
        )


async def _bare_waiting(all_: int, keys: int) -> None:
    _bare(all_, keys)
    # As in the platform's program, without which a thousand records take the SDK minutes.
    await asyncio.sleep(0)


def _stack(
    engine: Path, folder: Path, name: str, program: automation.PulumiFn | None
) -> automation.Stack:
    options = automation.LocalWorkspaceOptions(
        work_dir=str(folder),
        pulumi_command=automation.PulumiCommand(root=str(engine.parent.parent)),
    )
    if program is None:
        return automation.create_or_select_stack(STACK, work_dir=str(folder), opts=options)
    bare = name.startswith("bare")
    project = "bare" if bare else "ping8-mail"
    if bare:
        options.project_settings = automation.ProjectSettings(name=project, runtime="python")
    stack = automation.create_or_select_stack(
        STACK, project_name=project, program=program, opts=options
    )
    if bare:
        stack.set_config("aws:region", automation.ConfigValue(REGION))
    return stack


if __name__ == "__main__":
    _program, _engine, _folder, _step, _all, _keys = sys.argv[1:]
    _found = operate(_program, Path(_engine), Path(_folder), _step, int(_all), int(_keys))
    print(json.dumps(asdict(_found)))
