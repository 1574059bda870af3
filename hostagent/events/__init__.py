"""Events on the host: dead letters, local logs and PING8's endpoint."""
