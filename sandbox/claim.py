"""One sandbox per machine: its networks and names exist once, so one checkout holds them."""

from pathlib import Path

from sandbox.layout import Layout
from sandbox.process import SandboxError

HOLDER = Path("/run/ping8-sandbox")
"""Names the checkout whose sandbox is up; gone after a reboot, as the sandbox is."""


def take(layout: Layout, holder: Path = HOLDER) -> None:
    """Claim the machine for this checkout, unless another checkout's sandbox is up."""
    require_ours(layout, holder)
    holder.write_text(f"{layout.root}\n")


def require_ours(layout: Layout, holder: Path = HOLDER) -> None:
    """Refuse to touch another checkout's sandbox; a deleted checkout does not count."""
    other = _other(layout, holder)
    if other is not None:
        raise SandboxError(
            f"the sandbox on this machine belongs to {other}; run `ping8 sandbox down` there first"
        )


def give_up(layout: Layout, holder: Path = HOLDER) -> None:
    """Release the machine for other checkouts."""
    if _other(layout, holder) is None:
        holder.unlink(missing_ok=True)


def _other(layout: Layout, holder: Path) -> Path | None:
    try:
        root = Path(holder.read_text().strip())
    except FileNotFoundError:
        return None
    exists = Layout(root=root).state.exists()
    return root if exists and root != layout.root else None
