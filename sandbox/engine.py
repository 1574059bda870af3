"""The Pulumi engine: found on PATH, installed or built, in this order, and only once."""

import re
import shutil
import subprocess
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

from pulumi.automation import PulumiCommand
from semver import Version

from sandbox.layout import Layout
from sandbox.process import SandboxError, run

_MODULE = Path(__file__).with_name("engine")
_PROGRAM = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_COMMAND = "pulumi-resource-command"
_DOWNLOADS = "https://get.pulumi.com"
_LOOK_SECONDS = 5
_BUILD_SECONDS = 3600


def ensure_engine(cache: Path) -> Path:
    """Path of a `pulumi` that the Automation API accepts."""
    on_path = shutil.which("pulumi")
    if on_path and accepts(Path(on_path)):
        return Path(on_path)
    folder = cache / "engine"
    program = folder / "bin" / "pulumi"
    if program.exists() and accepts(program):
        return program
    if internet_reachable():
        try:
            return Path(PulumiCommand.install(root=str(folder)).command)
        except (subprocess.SubprocessError, OSError, RuntimeError):
            # A proxy may answer for a site that it blocks.
            pass
    return _build(folder)


def accepts(program: Path) -> bool:
    """Whether the engine is at least as new as the pinned one."""
    said = run([str(program), "version"], check=False).stdout.strip().removeprefix("v")
    pinned = Version.parse(pinned_version())
    return Version.is_valid(said) and pinned.is_compatible(Version.parse(said))


def pinned_version() -> str:
    """Version in the module file."""
    text = (_MODULE / "go.mod").read_text()
    found = re.search(r"github\.com/pulumi/pulumi/pkg/v3 v(\S+)", text)
    if found is None:
        raise SandboxError(f"{_MODULE / 'go.mod'} requires no github.com/pulumi/pulumi/pkg/v3")
    return found.group(1)


def real_providers(layout: Layout, engine: Path) -> tuple[str, ...]:
    """Names of providers for which the engine finds a real plugin.

    Decided once per sandbox: a real provider may not be able to read a stand-in's state.
    """
    decided = layout.state / "real-providers"
    if not decided.exists():
        decided.write_text("command" if _command_plugin(engine, layout.pulumi_home) else "")
    return tuple(decided.read_text().split())


def _command_plugin(engine: Path, home: Path) -> bool:
    wanted = version("pulumi-command")
    if shutil.which(_COMMAND) or (home / "plugins" / f"resource-command-v{wanted}").exists():
        return True
    install = [str(engine), "plugin", "install", "resource", "command", wanted]
    return internet_reachable() and (
        run(["env", f"PULUMI_HOME={home}", *install], check=False).returncode == 0
    )


def internet_reachable() -> bool:
    """Whether Pulumi's download site can be reached."""
    try:
        with urllib.request.urlopen(_DOWNLOADS, timeout=_LOOK_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 400
    except OSError:
        return False


def _build(folder: Path) -> Path:
    go = shutil.which("go")
    if go is None:
        raise SandboxError(
            "no Pulumi engine: `pulumi` is not on PATH, its download site cannot be reached, and "
            "there is no `go` to build it; install `pulumi` or `go`"
        )
    program = folder / "bin" / "pulumi"
    program.parent.mkdir(parents=True, exist_ok=True)
    fresh = program.with_suffix(".new")
    build = ["nice", go, "build", "-C", str(_MODULE), "-mod=readonly"]
    flags = f"-ldflags=-s -w -X {_VERSION_VARIABLE}=v{pinned_version()}"
    run([*build, flags, "-o", str(fresh), _PROGRAM], timeout=_BUILD_SECONDS)
    fresh.rename(program)
    return program
