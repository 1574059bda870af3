"""What the product costs: each module prints a table."""
