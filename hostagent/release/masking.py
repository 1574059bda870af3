"""Keeping the secrets of releases on this host out of what is said."""

from hostagent.host import Host
from hostagent.release.store import Store


def mask(host: Host, store: Store, *release_ids: str) -> None:
    """Mask what these releases' secret files hold: what runs may have printed it."""
    for release_id in release_ids:
        manifest = store.manifest(release_id)
        paths = (
            host.layout.stored(release_id, file.path) for file in manifest.files if file.secret
        )
        host.report.hide([path.read_bytes() for path in paths if path.is_file()])
