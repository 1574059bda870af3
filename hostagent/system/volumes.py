"""Volumes: found by EBS id, formatted if blank, mounted at every boot, grown with AWS."""

import os
import stat
import struct
from pathlib import Path

from hostagent import durable
from hostagent.errors import AgentError
from hostagent.host import Host
from hostagent.release.effects import UNIT_FILES
from hostagent.release.model import Bundle, Mount

_BY_ID = "/dev/disk/by-id"
_WAIT = 300.0
_FILE_SYSTEMS = ("ext4", "xfs")
_BLANK = 1024 * 1024
_GIB = 2**30
_GROWS = 30.0
"""Seconds until a host notices that its volume grew."""
_OPTIONS = "noatime,nodev,nosuid,noexec"
"""And for ext4 `commit=1`: a power cut takes one second of what kumod wrote, not five."""
_UNIT = """\
# Written by ping8-agent: the volume {volume} ({name}).
[Unit]
Description=Volume of ping8: {name}

[Mount]
What={device}
Where={path}
Type={kind}
Options={options}
TimeoutSec=180

[Install]
WantedBy=local-fs.target
"""


def mount_all(host: Host, bundle: Bundle) -> None:
    """Mount every volume of the release, outer paths first."""
    for mount in sorted(bundle.manifest.mounts, key=lambda item: len(item.path)):
        volume = bundle.volumes.get(mount.volume)
        if volume is None:
            raise AgentError(
                f"the release mounts volume {mount.volume!r} and the push names no such volume",
                "report this: program and agent disagree",
            )
        _mount(host, mount, volume)
    grow(host, bundle)


def grow(host: Host, bundle: Bundle) -> None:
    """Grow file systems to the size of their volumes. Failures are only warnings."""
    for mount in bundle.manifest.mounts:
        gib = bundle.sizes.get(mount.volume)
        link = host.layout.live(device_link(bundle.volumes.get(mount.volume, "")))
        if gib is None or not link.exists() or not host.layout.live(mount.path).is_mount():
            continue
        deadline = host.now() + _GROWS
        while _size(link) < gib * _GIB and host.now() < deadline:
            host.pause(1.0)
        if _size(link) < gib * _GIB:
            host.report.warn(
                f"volume {mount.volume} has {_size(link) / _GIB:.0f} GiB here but {gib} in the "
                "settings; check in the EC2 console whether it is still growing, then push again"
            )
        _grow(host, mount, link.resolve())


def _grow(host: Host, mount: Mount, device: Path) -> None:
    kind, size = _extent(device)
    if kind is None or _size(device) - size < _BLANK:
        return
    command = ["resize2fs", str(device)] if kind == "ext4" else ["xfs_growfs", "-d", mount.path]
    result = host.commands.run(command, limit=240)
    if result.good:
        host.report.say(f"the file system at {mount.path} now uses all of its volume")
        return
    host.report.warn(
        f"the file system at {mount.path} does not grow: {result.tail(3)}; run "
        f"`{' '.join(command)}` on the host"
    )


def _extent(device: Path) -> tuple[str | None, int]:
    """Kind and size in bytes of a file system from its superblock, without running a program."""
    with device.open("rb") as file:
        head = file.read(2048)
    if head[1080:1082] == b"\x53\xef":
        low, scale = (
            struct.unpack_from("<I", head, 1028)[0],
            struct.unpack_from("<I", head, 1048)[0],
        )
        wide = struct.unpack_from("<I", head, 1120)[0] & 0x80
        high = struct.unpack_from("<I", head, 1360)[0] if wide else 0
        return "ext4", (high << 32 | low) << (10 + scale)
    if head[:4] == b"XFSB":
        block, count = struct.unpack_from(">IQ", head, 4)
        return "xfs", block * count
    return None, 0


def _size(device: Path) -> int:
    descriptor = os.open(device, os.O_RDONLY)
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)


def unmounted(host: Host, mounts: tuple[Mount, ...]) -> tuple[str, ...]:
    """Paths that should be mount points and are not."""
    return tuple(item.path for item in mounts if not host.layout.live(item.path).is_mount())


def device_link(volume: str) -> str:
    """Where udev shows an EBS volume on instances of the Nitro system."""
    return f"{_BY_ID}/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"


def _mount(host: Host, mount: Mount, volume: str) -> None:
    if host.layout.live(mount.path).is_mount():
        _require_same(host, mount, volume)
        return
    device = _device(host, mount, volume)
    kind = _file_system(host, device, mount, volume)
    host.layout.live(mount.path).mkdir(mode=0o755, parents=True, exist_ok=True)
    unit = host.commands.must(
        ["systemd-escape", "--path", "--suffix=mount", mount.path], limit=10, fix="report this"
    ).strip()
    text = mount_unit(mount, volume, kind)
    folder = host.layout.live(UNIT_FILES)
    durable.write_bytes(folder / unit, text.encode(), mode=0o644)
    wants = folder / "local-fs.target.wants"
    wants.mkdir(mode=0o755, exist_ok=True)
    durable.put_link(wants / unit, f"{UNIT_FILES}{unit}")
    host.commands.must(["systemctl", "daemon-reload"], limit=60, fix="look at systemd")
    host.report.say(f"mounting {volume} ({kind}) at {mount.path}")
    host.commands.must(
        ["systemctl", "start", unit],
        limit=240,
        fix=f"look at `journalctl -u {unit}` and `dmesg` on the host, then push again",
    )
    if not host.layout.live(mount.path).is_mount():
        raise AgentError(
            f"{mount.path} is still not a mount point", f"look at `systemctl status {unit}`"
        )


def _require_same(host: Host, mount: Mount, volume: str) -> None:
    link = host.layout.live(device_link(volume))
    path = host.layout.live(mount.path)
    if link.exists() and link.stat().st_rdev != path.stat().st_dev:
        raise AgentError(
            f"another volume than {volume} ({mount.volume}) is mounted at {mount.path}",
            f"stop what uses it, `umount {mount.path}`, then push again",
        )


def mount_unit(mount: Mount, volume: str, kind: str) -> str:
    """The unit that mounts a volume, including at boot."""
    return _UNIT.format(
        volume=volume,
        name=mount.volume,
        device=device_link(volume),
        path=mount.path,
        kind=kind,
        options=_OPTIONS + (",commit=1" if kind == "ext4" else ""),
    )


def _device(host: Host, mount: Mount, volume: str) -> Path:
    """The block device of a volume, once it is attached."""
    link = host.layout.live(device_link(volume))
    deadline = host.now() + _WAIT
    told = False
    while not link.exists():
        if host.now() >= deadline:
            raise AgentError(
                f"volume {volume} ({mount.volume}) does not appear at {link} in {_WAIT:.0f} s",
                "check in the EC2 console whether it is attached to this instance, then push again",
            )
        if not told:
            host.report.say(f"waiting for volume {volume} ({mount.volume}) to be attached")
            told = True
        host.pause(1.0)
    device = link.resolve()
    if not stat.S_ISBLK(device.stat().st_mode):
        raise AgentError(f"{link} is not a block device", "look at udev on the host")
    return device


def _file_system(host: Host, device: Path, mount: Mount, volume: str) -> str:
    """Type of the volume's file system, which is created if it is blank."""
    # Marks an interrupted mkfs as ours: what it left is not somebody's data.
    begun = host.layout.base / f"formatting-{volume}"
    found = _probe(host, device)
    if not begun.exists() and found.get("TYPE") in _FILE_SYSTEMS:
        return found["TYPE"]
    if not begun.exists() and (found or not _starts_blank(device)):
        what = found.get("TYPE") or found.get("PTTYPE") or "data that is not a known file system"
        raise AgentError(
            f"volume {volume} ({mount.volume}, {device}) holds {what}, so it was left unchanged",
            "attach the right volume, or wipe this one with `wipefs --all` and `blkdiscard` "
            "if nothing on it is needed",
        )
    host.report.say(f"creating a file system on blank volume {volume} ({mount.volume})")
    durable.write_bytes(begun, b"")
    host.commands.must(
        ["mkfs.ext4", "-q", "-F", "-m", "1", "-L", f"ping8-{mount.volume}"[:16], str(device)],
        limit=600,
        fix="see `dmesg` on the host, then push again",
    )
    begun.unlink()
    durable.sync_directory(begun.parent)
    if _probe(host, device).get("TYPE") != "ext4":
        raise AgentError(f"{device} has no file system after mkfs.ext4", "see `dmesg` on the host")
    return "ext4"


def _probe(host: Host, device: Path) -> dict[str, str]:
    """What is on a device, read from the device itself and not from a cache."""
    result = host.commands.run(["blkid", "--probe", "--output", "export", str(device)], limit=60)
    if result.code not in {0, 2}:
        raise AgentError(f"`blkid` on {device} failed: {result.tail(3)}", "see `dmesg` on the host")
    pairs = (line.split("=", 1) for line in result.output.splitlines() if "=" in line)
    return {key: value for key, value in pairs if key in {"TYPE", "PTTYPE"}}


def _starts_blank(device: Path) -> bool:
    descriptor = os.open(device, os.O_RDONLY)
    try:
        return not os.read(descriptor, _BLANK).strip(b"\0")
    finally:
        os.close(descriptor)
