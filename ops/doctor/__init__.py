"""Whether mail will arrive from a live deployment, and what to do if not."""
