"""What operators do with a stack: the commands of `ping8`."""
