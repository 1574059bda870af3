"""KumoMTA's local logs: pruned, and copied to S3."""
