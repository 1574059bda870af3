"""From one release to another, and back: the verbs that change a host."""
