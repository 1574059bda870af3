"""What DNS must say for an environment: names, texts, the plan of records, and what to publish."""
