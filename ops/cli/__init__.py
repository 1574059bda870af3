"""The options of each command: thin modules, so that help is fast; the work is in `ops`."""
