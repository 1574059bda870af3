"""Makes a release for each host from settings, addresses and secrets: same input, same bytes."""

from policy.render.mta import render_mta
from policy.render.proxy import render_proxy

__all__ = ["render_mta", "render_proxy"]
