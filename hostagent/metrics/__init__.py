"""What a host measures, and how it reaches CloudWatch."""
