"""What travels to a host, and what comes back."""

import ast
import base64
import dataclasses
import io
import json
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import hostagent
from hostagent.release.model import (
    Check,
    Description,
    Directory,
    FileFacts,
    Mount,
    canonical,
    parse_bundle,
    parse_manifest,
)
from policy import agent_bundle
from policy.agent_bundle import agent_zipapp
from policy.push import bundle_of, manifest_of, parse_report, push_command, push_input
from policy.release import HostFacts, Release, ReleaseFile
from tests.examples import LARGE, releases_of, settings_of

SECRET = "sEcReT0123456789abcdefghijklmnopqrstuvwxyzA"
FACTS = HostFacts(name="mta", instance_id="i-0123456789abcdef0", volumes=(("spool", "vol-1"),))


def small(**more: object) -> Release:
    return Release(
        host="mta",
        role="mta",
        files=(
            ReleaseFile(path="/etc/default/kumomta", content=SECRET.encode(), secret=True),
            ReleaseFile(path="/etc/binary", content=b"\xff\x00"),
            ReleaseFile(path="/etc/text", content="ä\n".encode()),
        ),
        digest_key="key",
        kumomta_version="2026.09.29-b90d8bc1",
        **more,  # type: ignore[arg-type]
    )


def test_the_command_is_constant_and_asks_nobody_anything() -> None:
    words = shlex.split(push_command("15m"))
    assert words[:6] == ["sudo", "-n", "timeout", "--kill-after=120", "900", "python3"]
    assert words[6:8] == ["-I", "-c"]
    assert push_command("15m") == push_command("15m")


def test_everything_of_a_release_arrives() -> None:
    bundle = parse_bundle(bundle_of(small(), FACTS).encode())
    assert bundle.contents["/etc/binary"] == b"\xff\x00"
    assert bundle.contents["/etc/text"] == "ä\n".encode()
    assert bundle.manifest.id == small().id
    assert bundle.volumes == {"spool": "vol-1"}
    assert bundle.instance_id == FACTS.instance_id


@pytest.mark.parametrize("example", releases_of(settings_of(LARGE)), ids=lambda one: one.host)
def test_a_host_reads_all_that_describes_a_release(example: Release) -> None:
    """A field that is added needs no line here, nor in what sends it and reads it."""
    read = parse_manifest(json.loads(canonical(manifest_of(example))))
    for field in dataclasses.fields(Description):
        assert getattr(read, field.name) == getattr(example, field.name), field.name
    for mine, theirs in zip(example.files, read.files, strict=True):
        for field in dataclasses.fields(FileFacts):
            assert getattr(mine, field.name) == getattr(theirs, field.name), field.name


@pytest.mark.parametrize("kind", [Description, FileFacts, Directory, Mount, Check])
def test_every_field_of_a_release_travels(kind: type) -> None:
    assert all("read" in field.metadata for field in dataclasses.fields(kind))


def test_the_same_release_is_the_same_input_and_another_instance_another() -> None:
    other = HostFacts(name="mta", instance_id="i-0fedcba9876543210", volumes=FACTS.volumes)
    assert bundle_of(small(), FACTS) == bundle_of(small(), FACTS)
    assert bundle_of(small(), FACTS) != bundle_of(small(), other)


def test_the_agent_is_the_same_bytes_each_time_and_holds_no_secret() -> None:
    first = agent_zipapp()
    agent_bundle.agent_zipapp.cache_clear()
    assert agent_zipapp() == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_the_agent_is_python_3_10() -> None:
    for path in Path(hostagent.__file__).parent.rglob("*.py"):
        ast.parse(path.read_text(), filename=str(path), feature_version=(3, 10))


def test_the_agent_imports_only_itself_and_the_standard_library() -> None:
    known = {*sys.stdlib_module_names, "hostagent"} - {"tomllib"}
    for path in Path(hostagent.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level or str(node.module).split(".")[0] in known, path
            if isinstance(node, ast.Import):
                assert {name.name.split(".")[0] for name in node.names} <= known, path


def test_the_agent_runs_as_a_single_file(tmp_path: Path) -> None:
    program = tmp_path / "ping8-agent"
    program.write_bytes(agent_zipapp())
    done = subprocess.run(
        [sys.executable, "-I", str(program), "nonsense"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("ping8: this verb is not known; use one of: push, drift")


def test_the_bootstrap_hands_the_input_on_to_the_agent_in_memory() -> None:
    bootstrap = shlex.split(push_command("1m"))[-1]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("__main__.py", "import sys; print(sys.argv[1], len(sys.stdin.read()))")
    text = json.dumps({"agent": base64.b64encode(stream.getvalue()).decode(), "rest": "ä"})
    done = subprocess.run(
        [sys.executable, "-I", "-c", bootstrap],
        input=push_input(text),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"push {len(text)}\n"


@pytest.mark.parametrize(
    "damaged",
    ["", "no Base64", "QUJD", push_input('{"agent": "'), push_input('{"agent": 1}')[:-8]],
    ids=["nothing", "no Base64", "no bzip2", "no JSON", "cut off"],
)
def test_a_damaged_input_is_refused_in_one_line(damaged: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", shlex.split(push_command("1m"))[-1]],
        input=damaged,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "ping8: the bundle arrived damaged, so nothing was changed; push again\n"


def test_a_report_is_the_last_line_of_what_was_printed() -> None:
    report = parse_report('noise\n{"release": "a", "previous": "b", "changed": ["/x"]}\n')
    assert (report.release_id, report.previous_id, report.changed) == ("a", "b", ("/x",))


@pytest.mark.parametrize("text", ["", "nothing", "{}", "[]"])
def test_what_is_no_report_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="the push printed no report"):
        parse_report(text)
