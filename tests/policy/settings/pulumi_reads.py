"""Has Pulumi itself read each file of `stack_files.py`, and records what a program is handed.

`python -m tests.policy.settings.pulumi_reads` needs `pulumi` on PATH. `test_readers.py` holds both
of our readers to the record.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.policy.settings.stack_files import ALL, CIPHERTEXT, SALT, TOKEN

RECORD = Path(__file__).with_suffix(".json")
_FILE = "Pulumi.test.yaml"
_OF_ANOTHER_BACKEND = "require the Pulumi Cloud backend"
_LONGEST = 32_768
"""Of a value in the record; what is longer is as the file has it."""


class Pulumi:
    """The engine with a project, a stack and a state of its own, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text("name: ping8-mail\nruntime: python\n")
        self.ask("stack", "init", "test").check_returncode()
        self.ask("config", "set", "--secret", "token", TOKEN).check_returncode()
        own: Any = yaml.safe_load((folder / _FILE).read_text("utf-8"))
        self.salt = f"encryptionsalt: {own['encryptionsalt']}\n".encode()
        self.ciphertext = str(own["config"]["ping8-mail:token"]["secure"]).encode()

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command, in the folder."""
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env={
                **os.environ,
                "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
                "PULUMI_CONFIG_PASSPHRASE": "of-no-importance",
                "PULUMI_HOME": f"{self.folder}/home",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
            },
            check=False,
            capture_output=True,
            text=True,
        )

    def read(self, content: bytes) -> dict[str, Any]:
        """Each value by its key, or why there is none."""
        if CIPHERTEXT in content or SALT in content:
            content = content.replace(CIPHERTEXT, self.ciphertext).replace(SALT, b"") + self.salt
        (self.folder / _FILE).write_bytes(content)
        done = self.ask("config", "--json", "--show-secrets", "--stack", "test")
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout)
            return found
        return {"error": done.stderr.partition("error: ")[2].strip().splitlines()[0]}


def differences(found: Mapping[str, Any], smallest: Mapping[str, str]) -> dict[str, Any]:
    """What a file gives other than the smallest one."""
    if "error" in found:
        # Only Pulumi Cloud resolves an `environment`; what it adds is no matter of the file.
        return {} if _OF_ANOTHER_BACKEND in found["error"] else dict(found)
    values = {key: one["value"] for key, one in found.items()}
    parts = {
        "values": {k: v for k, v in values.items() if smallest.get(k) != v and len(v) <= _LONGEST},
        "absent": sorted(smallest.keys() - values.keys()),
        "secret": sorted(key for key, one in found.items() if one["secret"]),
    }
    return {name: part for name, part in parts.items() if part}


def main() -> None:
    """Writes the record."""
    sys.setrecursionlimit(20_000)  # one of the files is 1,500 tables deep
    with tempfile.TemporaryDirectory(prefix="ping8-reads-") as folder:
        engine = Pulumi(Path(folder))
        version = engine.ask("version").stdout.strip()
        read = {name: engine.read(content) for name, content in sorted(ALL.items())}
    smallest = {key: one["value"] for key, one in read["smallest"].items()}
    record = {
        "about": f"What Pulumi {version} hands a program for each file of stack_files.py.",
        "smallest": smallest,
        "files": {name: differences(found, smallest) for name, found in read.items()},
    }
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
