"""A release on the host: its manifest, its files, the links that make it live."""
