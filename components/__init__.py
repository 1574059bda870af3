"""Pulumi components for the resources on AWS."""
