"""A host's metrics, and how they get to CloudWatch."""
