"""What the program makes on AWS: Pulumi components."""
