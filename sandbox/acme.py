"""A real ACME certificate authority: Pebble, which validates DNS-01 through the sandbox's DNS."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from sandbox.authority import Authority
from sandbox.dns import SERVER as DNS_SERVER
from sandbox.files import replace
from sandbox.network import Cloud
from sandbox.process import Daemon, SandboxError, run
from standins.pulumi.hosts import Record, Zone

NAME = "acme.sandbox.test"
ADDRESS = "198.51.100.14"
DIRECTORY = f"https://{NAME}/dir"

_MODULE = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.8.0"
_MANAGEMENT = 15000


@dataclass(frozen=True, kw_only=True)
class Acme:
    """Pebble and what it needs; `folder` holds its files, `cache` a built one."""

    folder: Path
    cache: Path
    cloud: Cloud
    authority: Authority

    def start(self) -> None:
        """Serve the directory. Pebble makes a new root at every start."""
        program = ensure_pebble(self.cache)
        # Pebble's delays and rejected nonces, meant for client tests, would only slow the sandbox.
        settings = ("PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
        configuration = f"-config={self.folder.resolve() / 'pebble.json'}"
        pebble = (*settings, str(program), configuration, f"-dnsserver={DNS_SERVER}:53")
        self._configure()
        command = self.cloud.inside(self.cloud.world, "env", *pebble)
        Daemon(name="acme", folder=self.folder, command=command).start(self._keep_root)

    def stop(self) -> None:
        """Stop serving."""
        Daemon(name="acme", folder=self.folder).stop()

    def running(self) -> bool:
        """Whether it runs."""
        return Daemon(name="acme", folder=self.folder).pid() is not None

    @property
    def roots(self) -> Path:
        """Roots of every certificate that was issued here, newest last."""
        return self.folder / "roots.pem"

    def _configure(self) -> None:
        certificate = self.authority.issue("acme", NAME, ADDRESS)
        configuration = {
            "listenAddress": f"{ADDRESS}:443",
            "managementListenAddress": f"{ADDRESS}:{_MANAGEMENT}",
            "certificate": str(certificate.chain.resolve()),
            "privateKey": str(certificate.key.resolve()),
            "httpPort": 80,
            "tlsPort": 443,
        }
        replace(self.folder / "pebble.json", json.dumps({"pebble": configuration}))

    def _keep_root(self) -> bool:
        url = f"https://{ADDRESS}:{_MANAGEMENT}/roots/0"
        trusted = str(self.authority.certificate)
        fetch = ("curl", "--silent", "--fail", "--cacert", trusted, url)
        root = run(self.cloud.inside(self.cloud.world, *fetch), check=False)
        if root.returncode != 0:
            return False
        known = self.roots.read_text() if self.roots.exists() else ""
        if root.stdout not in known:
            replace(self.roots, known + root.stdout)
        return True


def zone() -> Zone:
    """The zone with the directory's name."""
    return Zone(name=NAME, records=(Record(name=NAME, type="A", values=(ADDRESS,)),))


def ensure_pebble(cache: Path) -> Path:
    """Pebble from PATH, or built once from its Go module."""
    if found := shutil.which("pebble"):
        return Path(found)
    program = cache / "acme" / "pebble"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise SandboxError("no ACME server: install `pebble`, or `go` to build it")
    environment = ["env", f"GOBIN={program.parent}", f"PATH={os.environ['PATH']}"]
    run(["nice", *environment, go, "install", _MODULE], timeout=1800)
    return program
