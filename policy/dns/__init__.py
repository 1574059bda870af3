"""What DNS must say for an environment: texts, the plan of records, and what to publish."""
