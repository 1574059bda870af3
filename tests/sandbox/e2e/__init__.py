"""The sandbox from end to end."""
