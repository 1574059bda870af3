"""Keeps the secrets of this host's releases out of messages."""

from hostagent.host import Host
from hostagent.release.store import Store


def mask(host: Host, store: Store, *release_ids: str) -> None:
    """Mask the contents of these releases' secret files: programs may have printed it."""
    for release_id in release_ids:
        manifest = store.manifest(release_id)
        paths = (
            host.layout.stored(release_id, file.path) for file in manifest.files if file.secret
        )
        host.report.hide([path.read_bytes() for path in paths if path.is_file()])
