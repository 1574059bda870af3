"""The machine image of the sandbox's hosts: a Debian root file system, imported into podman.

It uses the machine's own release and package sources, so it needs no mirror and no image
registry.
"""

import hashlib
import platform
import shlex
import tempfile
from pathlib import Path

from sandbox.process import SandboxError, run

_RECIPE = Path(__file__).with_name("recipe")
_REPOSITORY = "localhost/ping8-host"
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


def ensure_image(cache: Path) -> str:
    """Name of the image; builds it if it is missing, which takes minutes."""
    release, distribution = _release()
    name = f"{_REPOSITORY}:{recipe_hash(release)}"
    if run(["podman", "image", "exists", name], check=False).returncode == 0:
        return name
    cache.mkdir(parents=True, exist_ok=True)
    keyring = Path(f"/usr/share/keyrings/{distribution}-archive-keyring.gpg")
    sources = fitting(_targets(), release, keyring if keyring.exists() else None)
    if not sources:
        raise SandboxError(f"no package source of release {release} in this machine's apt sources")
    # In the cache folder: it is a few hundred megabytes, and /tmp may be memory.
    with tempfile.NamedTemporaryFile(dir=cache, suffix=".tar") as archive:
        _bootstrap(release, sources, Path(archive.name))
        change = '--change=CMD ["/usr/local/sbin/sandbox-init"]'
        run(["podman", "import", "--quiet", change, archive.name, name], timeout=600)
    _remove_others(name)
    return name


def _remove_others(name: str) -> None:
    """Images of older recipes that no container uses."""
    listed = run(["podman", "images", "--format", "{{.Repository}}:{{.Tag}}", _REPOSITORY]).stdout
    for other in listed.split():
        if other != name:
            run(["podman", "rmi", other], check=False)


def recipe_hash(release: str) -> str:
    """A hash of everything that decides an image's content, except package versions."""
    parts = [release, platform.machine()]
    parts += [path.read_text() for path in sorted(_RECIPE.iterdir())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def packages() -> tuple[str, ...]:
    """Names in the recipe."""
    lines = (_RECIPE / "packages.txt").read_text().splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def fitting(listing: str, release: str, keyring: Path | None) -> list[str]:
    """Sources of the release itself, its updates and its security fixes.

    `listing` has URI, suite and component of every source of the machine, one per line.
    """
    suites = (release, f"{release}-updates", f"{release}-security")
    targets = {tuple(line.split()) for line in listing.splitlines()}
    chosen = sorted(each for each in targets if each[1] in suites)
    signed = f" [signed-by={keyring}]" if keyring else ""
    return [" ".join((f"deb{signed}", *each)) for each in chosen]


def _targets() -> str:
    wanted = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    return run(["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"]).stdout


def _release() -> tuple[str, str]:
    """Code name of this machine's release and id of its distribution."""
    system = platform.freedesktop_os_release()
    try:
        return system["VERSION_CODENAME"], system["ID"]
    except KeyError as error:
        raise SandboxError(f"/etc/os-release lacks {error}: not a Debian-like system") from error


def _bootstrap(release: str, sources: list[str], archive: Path) -> None:
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    proxy = run(["apt-config", "dump", "--format", "%v", "Acquire::http::Proxy"]).stdout.strip()
    if proxy:
        options.append(f'--aptopt=Acquire::http::Proxy "{proxy}"')
    eatmydata = Path("/usr/share/mmdebstrap/hooks/eatmydata")
    if eatmydata.is_dir():
        options.append(f"--hook-dir={eatmydata}")
    command = [
        "mmdebstrap",
        "--mode=root",
        "--variant=apt",
        "--format=tar",
        f"--include={','.join(packages())}",
        *options,
        f'--customize-hook={shlex.quote(str(_RECIPE / "customize.sh"))} "$1"',
        release,
        str(archive),
        *sources,
    ]
    run(command, stdin="", timeout=3600)
