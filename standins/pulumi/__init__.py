"""Stand-in Pulumi providers (aws, command, tls, random) that the real engine attaches to."""
