"""Engine and program together, beside bare programs of as many resources.

    python -m benchmarks.engine [CASE SIZE] [--pulumi PATH] [--without PROGRAM]

Each case runs on the AWS stand-in, which is a process of its own and not counted: a preview of
everything, `up`, and a preview without changes. Each operation is a process of its own too, whose
CPU and peak memory are the program's; its children are the engine. PATH, the `pulumi` of a complete
installation, adds a preview by it alone: there the engine's columns have engine, language host and
program together. `--without bare` leaves out that program. Needs root: pushes go to SSH servers
at port 22 of loopback addresses.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks import operation
from benchmarks.operation import STACK, Cost
from sandbox.engine import ensure_engine
from sandbox.layout import Layout
from standins.pulumi.service import Service
from tests.sandbox.stacks import example
from tests.sandbox.stacks.answering_hosts import ELASTIC_RANGE, AnsweringHosts

ZONE = "dev.mail.ping8-com.test"
OPERATIONS = ("preview", "up", "preview again")
KEY = "tls:index/privateKey:PrivateKey"
BARE = ("bare", "bare-waiting")
"""A loop over the resources; the second waits for them as the platform's program does."""


@dataclass(frozen=True)
class Case:
    """A kind of sender domains: how they are named, and whose keys sign."""

    pattern: str
    keys: str


CASES = {
    "Route 53, own keys": Case("d{}." + ZONE, "domain"),
    "Route 53, keys of the brand": Case("d{}." + ZONE, "brand"),
    "DNS elsewhere, keys of the brand": Case("shop-{}.test", "brand"),
}
SIZES = {
    "Route 53, own keys": (1, 100, 1000),
    "Route 53, keys of the brand": (1, 100, 1000),
    "DNS elsewhere, keys of the brand": (1, 100, 1000, 100_000),
}


def main() -> None:
    """One row for each operation of each case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("case", nargs="?", choices=CASES)
    parser.add_argument("size", nargs="?", type=int)
    parser.add_argument("--pulumi", type=Path)
    parser.add_argument("--without", action="append", choices=BARE, default=[])
    chosen = parser.parse_args()
    columns = (
        "sender domains", "how many", "program", "operation", "resources", "program, CPU s",
        "engine, CPU s", "program, MiB", "engine, MiB", "state, bytes",
    )  # fmt: skip
    print("|", " | ".join(columns), "|")
    print("|---|---:|---|---|" + "---:|" * 6, flush=True)
    wanted = (
        [(chosen.case, chosen.size)]
        if chosen.case
        else [(kind, size) for kind, sizes in SIZES.items() for size in sizes]
    )
    for kind, size in wanted:
        with _account() as service:
            bare = [program for program in BARE if program not in chosen.without]
            measure(service, kind, size, chosen.pulumi, bare)


def measure(
    service: Service, kind: str, size: int, plain: Path | None, bare_programs: Sequence[str]
) -> None:
    """The platform first, then bare programs of as many resources and keys."""
    engine = ensure_engine(Layout.of_checkout().cache)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _project(service, folder, CASES[kind], size)
        environment = example.environment(service, folder)
        types: Counter[str] = Counter()
        if plain is not None:
            _program(folder)
            cost = _in_process(plain, folder, environment, "plain", "preview", types)
            _print(kind, size, "plain", "preview", cost)
        for step in OPERATIONS:
            cost = _in_process(engine, folder, environment, "platform", step, types)
            _print(kind, size, "platform", step, cost)
            types = operation.types(folder)
        for program in bare_programs:
            bare = folder / program
            bare.mkdir()
            environment |= _backend(service, bare)
            for step in OPERATIONS:
                cost = _in_process(engine, bare, environment, program, step, types)
                _print(kind, size, program, step, cost)


def _backend(service: Service, folder: Path) -> dict[str, str]:
    """A bare program's own state and zone."""
    zone = service.account.client("route53", "us-east-1").create_hosted_zone(
        Name="bare.test", CallerReference=folder.name
    )["HostedZone"]["Id"]
    return {
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "BENCHMARK_ZONE": zone.rpartition("/")[2],
    }


def _print(kind: str, size: int, program: str, step: str, cost: Cost) -> None:
    cells = (
        kind, f"{size:,}", program, step, f"{cost.resources:,}", f"{cost.program_cpu:.1f}",
        f"{cost.engine_cpu:.1f}", str(cost.program_memory), str(cost.engine_memory),
        f"{cost.state:,}",
    )  # fmt: skip
    print("|", " | ".join(cells), "|", flush=True)


@contextmanager
def _account() -> Iterator[Service]:
    hosts = AnsweringHosts()
    service = Service(lambda _: hosts, elastic_range=ELASTIC_RANGE)
    try:
        example.prepare(service, STACK)
        yield service
    finally:
        hosts.stop_all()
        service.stop()


def _project(service: Service, folder: Path, case: Case, size: int) -> None:
    example.project(service, folder, STACK)
    path = folder / "stacks" / f"Pulumi.{STACK}.yaml"
    content = yaml.safe_load(path.read_text("utf-8"))
    content["config"]["ping8-mail:domainsFile"] = "many.domains.yaml"
    content["config"]["ping8-mail:domains"] = []
    content["config"]["ping8-mail:domainDefaults"] = {"dkim": {"keys": case.keys}}
    path.write_text(yaml.safe_dump(content), "utf-8")
    lines = [f"- {case.pattern.format(number)}\n" for number in range(size)]
    path.with_name("many.domains.yaml").write_text("".join(lines), "utf-8")


def _program(folder: Path) -> None:
    """The files of the program, for a `pulumi` that starts it itself."""
    for name in ("components", "policy", "hostagent"):
        shutil.copytree(operation.ROOT / name, folder / name)
    shutil.copy2(operation.ROOT / "__main__.py", folder)
    (folder / ".venv").symlink_to(sys.prefix)


def _in_process(
    engine: Path,
    folder: Path,
    environment: Mapping[str, str],
    program: str,
    step: str,
    types: Counter[str],
) -> Cost:
    words = [program, str(engine), str(folder), step, str(types.total()), str(types[KEY])]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.operation", *words],
        # As an operator's Python, it keeps what it has compiled.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
