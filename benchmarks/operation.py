"""One operation of the engine and its program: a process of its own that prints what it took.

`benchmarks.engine` starts it. This process is the program, its child is the engine.
"""

import json
import os
import resource
import runpy
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
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
_SAMPLE_SECONDS = 0.05


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
    inline = _platform if program == "platform" else lambda: _bare(all_, keys)
    stack = _stack(engine, folder, "ping8-mail" if program == "platform" else "bare", inline)
    watch = _Watch(engine)
    began, spent = time.monotonic(), _cpu(resource.RUSAGE_CHILDREN)
    act: Callable[[], Any] = stack.up if step == "up" else stack.preview
    act()
    return Cost(
        resources=types(folder).total(),
        program_cpu=_cpu(resource.RUSAGE_SELF),
        engine_cpu=_cpu(resource.RUSAGE_CHILDREN) - spent,
        seconds=time.monotonic() - began,
        program_memory=_peak("self"),
        engine_memory=watch.stop(),
        state=sum(path.stat().st_size for path in _states(folder)),
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
    """The engine's peak memory, which is gone with it.

    What `getrusage` says of a child counts its memory before it became the engine: this process's.
    """

    def __init__(self, engine: Path) -> None:
        self._engine = engine.resolve()
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> int:
        """Ends the watch; MiB."""
        self._over.set()
        self._thread.join()
        return self._peak

    def _run(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            for children in Path("/proc/self/task").glob("*/children"):
                # A thread may have ended since it was listed.
                with suppress(OSError):
                    for child in children.read_text().split():
                        self._look(child)

    def _look(self, child: str) -> None:
        if Path(f"/proc/{child}/exe").resolve() == self._engine:
            self._peak = max(self._peak, _peak(child))


def _peak(process: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)


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


def _stack(
    engine: Path, folder: Path, project: str, program: automation.PulumiFn
) -> automation.Stack:
    options = automation.LocalWorkspaceOptions(
        work_dir=str(folder),
        pulumi_command=automation.PulumiCommand(root=str(engine.parent.parent)),
    )
    if project == "bare":
        options.project_settings = automation.ProjectSettings(name=project, runtime="python")
    stack = automation.create_or_select_stack(
        STACK, project_name=project, program=program, opts=options
    )
    if project == "bare":
        stack.set_config("aws:region", automation.ConfigValue(REGION))
    return stack


if __name__ == "__main__":
    _program, _engine, _folder, _step, _all, _keys = sys.argv[1:]
    _found = operate(_program, Path(_engine), Path(_folder), _step, int(_all), int(_keys))
    print(json.dumps(asdict(_found)))
