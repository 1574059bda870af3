"""What each command takes: thin modules, so that help comes at once; the work is in `ops`."""
