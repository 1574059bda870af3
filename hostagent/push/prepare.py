"""Prepares what a host needs before a release's files can work there."""

import grp
import os
import pwd
import stat
from pathlib import Path

from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.release.model import Bundle, Directory, Manifest
from hostagent.release.store import owner_ids
from hostagent.system import kumomta, packages, volumes

_INSTANCE = "/var/lib/cloud/data/instance-id"
_CLOUD_INIT = 900.0


def identify(host: Host, bundle: Bundle, live: Manifest) -> None:
    """Refuse a host that the release is not for."""
    if bundle.name != bundle.manifest.host:
        raise AgentError(
            f"the push is for host {bundle.name!r} and its release for {bundle.manifest.host!r}",
            "report this: the program mixed up two hosts",
        )
    try:
        found = host.layout.live(_INSTANCE).read_text().strip()
    except FileNotFoundError:
        raise AgentError(
            f"this host has no {_INSTANCE}, so its instance id is unknown",
            "check whether cloud-init ran (`cloud-init status --long`), then push again",
        ) from None
    if found != bundle.instance_id:
        raise AgentError(
            f"this host is instance {found} and the release is for {bundle.instance_id} "
            f"({bundle.name})",
            "check which instance has the address, run `pulumi refresh`, then push again",
        )
    if not live.is_empty() and live.host != bundle.manifest.host:
        raise AgentError(
            f"this host is {live.host!r} and the release is for {bundle.manifest.host!r}",
            "replace the host instead of giving it another role",
        )


def wait_for_boot(host: Host) -> None:
    """Wait for cloud-init, which creates users and package sources."""
    if not host.layout.live("/usr/bin/cloud-init").exists():
        return
    if host.layout.live("/run/cloud-init/result.json").exists():
        return
    host.report.say("waiting for cloud-init to end")
    result = host.commands.run(["cloud-init", "status", "--wait"], limit=_CLOUD_INIT)
    if result.code == 1:
        host.report.warn(f"cloud-init ended with an error: {result.tail(3)}")


def prepare(host: Host, bundle: Bundle) -> packages.Upgrade | None:
    """Volumes, packages, users, directories; returns the KumoMTA version change to make."""
    manifest = bundle.manifest
    volumes.mount_all(host, bundle)
    host.done("mounted")
    upgrade = packages.ensure(host, manifest)
    kumomta.warn_of_faults(host, manifest)
    host.done("packages")
    for user in manifest.users:
        ensure_user(host, user)
    if manifest.kumomta_preinstalled:
        ensure_user(host, "kumod")
    for directory in sorted(manifest.directories, key=lambda item: len(item.path)):
        ensure_directory(host, directory)
    host.done("prepared")
    return upgrade


def ensure_user(host: Host, name: str) -> None:
    """A system user with a group of its name."""
    try:
        pwd.getpwnam(name)
        grp.getgrnam(name)
    except KeyError:
        host.report.say(f"making user {name}")
        host.commands.must(
            [
                "useradd", "--system", "--user-group", "--no-create-home",
                "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin", name,
            ],
            limit=60,
            fix="see `getent passwd` and `getent group` on the host, then push again",
        )  # fmt: skip


def ensure_directory(host: Host, directory: Directory) -> None:
    """A directory with mode and owner.

    Its contents are left alone, unless they are on the volume of an instance that had another
    number for the same user: then their owner changes with the directory's.
    """
    path = host.layout.live(directory.path)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise AgentError(
            f"{directory.path} must be a directory but is not",
            "move it on the host, then push again",
        )
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    uid, gid = owner_ids(directory.owner, directory.group)
    status = path.stat()
    if (status.st_uid, status.st_gid) != (uid, gid):
        if status.st_uid != 0 and any(path.iterdir()):
            _hand_over(host, path, status.st_uid, uid, gid)
        os.chown(path, uid, gid, follow_symlinks=False)
    if stat.S_IMODE(path.stat().st_mode) != directory.mode:
        path.chmod(directory.mode)


def _hand_over(host: Host, path: Path, before: int, uid: int, gid: int) -> None:
    host.report.say(f"changing the owner of {path} from user {before} to {uid}")
    host.commands.must(
        ["chown", "--recursive", "--no-dereference", f"--from={before}", f"{uid}:{gid}", str(path)],
        limit=900,
        fix=f"check who owns what below {path}, then push again",
    )
