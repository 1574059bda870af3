"""Which receivers refuse which source for its reputation, until an operator acknowledges it."""
