"""The verbs that change a host: from one release to another, and back."""
