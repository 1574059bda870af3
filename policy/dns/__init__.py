"""DNS of an environment: record texts, the plan of records, and what to publish."""
