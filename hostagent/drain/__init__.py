"""Takes a node out of service without losing or delaying what it holds."""
